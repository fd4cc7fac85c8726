# shoal - live video with no server. Targets: all (default), test, demo, lint, fuzz, install, clean.
#
#   make                       build/shoal, a development build (warnings are errors)
#   make CC=clang              the same with clang
#   make SAN=address,undefined a sanitized build, in its own folder
#   make WERROR=               for compilers with warnings of their own

CC      ?= gcc
CFLAGS  ?= -O2 -g
WERROR  ?= -Werror
SAN     ?=
PREFIX  ?= /usr/local
DESTDIR ?=

ifeq ($(origin CC),default)
CC := gcc
endif

comma   := ,
VARIANT := $(notdir $(firstword $(CC)))$(if $(SAN),-$(subst $(comma),-,$(SAN)))
OUT     := build/$(VARIANT)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wconversion $(WERROR)
PACKAGES := libevent_core libevent_extra libsodium x264 libavformat libavcodec libavfilter \
            libavdevice libavutil libswscale libswresample
# Evaluated when a compiler runs, not when scripts/setup is still to install the packages.
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS   = $(shell pkg-config --libs $(PACKAGES)) -lopendht-c -lpthread -lm

SANITIZE := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -I. -MMD -MP $(WARNINGS) $(CFLAGS) $(SANITIZE) $(PKG_CFLAGS)

LIB_SOURCES  := $(sort $(wildcard core/*/*.c dht/*.c media/*.c))
CLI_SOURCES  := $(sort $(wildcard cli/*.c))
LIB_OBJECTS  := $(LIB_SOURCES:%.c=$(OUT)/%.o) $(OUT)/media/web_assets.o
WEB_FILES    := $(sort $(wildcard media/web/*))
CLI_OBJECTS  := $(CLI_SOURCES:%.c=$(OUT)/%.o)
# A function, because a % that stands in a pattern rule's prerequisites is replaced by the stem.
objects       = $(patsubst %.c,$(OUT)/%.o,$(1))
TEST_LIB     := $(patsubst %.c,$(OUT)/%.o,$(sort $(wildcard tests/lib/*.c)))

# One program for each folder of unit tests.
UNIT_FOLDERS  := $(sort $(patsubst tests/unit/%/,%,$(dir $(wildcard tests/unit/*/*.c))))
UNIT_PROGRAMS := $(UNIT_FOLDERS:%=$(OUT)/tests/unit-%)

.PHONY: all unit clean
all: build/shoal

build/shoal: $(OUT)/shoal
	@ln -sfn $(VARIANT)/shoal $@

$(OUT)/shoal: $(CLI_OBJECTS) $(OUT)/libshoal.a
	$(CC) $(SANITIZE) -o $@ $^ $(PKG_LIBS)

$(OUT)/libshoal.a: $(LIB_OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

# The player page, built into the program.
$(OUT)/media/web_assets.c: scripts/embed-web $(WEB_FILES)
	@mkdir -p $(@D)
	scripts/embed-web $(WEB_FILES) > $@.new && mv $@.new $@
$(OUT)/media/web_assets.o: $(OUT)/media/web_assets.c
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

.SECONDEXPANSION:
$(OUT)/tests/unit-%: $$(call objects,$$(wildcard tests/unit/$$*/*.c)) $(TEST_LIB) $(OUT)/libshoal.a
	$(CC) $(SANITIZE) -o $@ $^ -lcriterion $(PKG_LIBS)

unit: $(UNIT_PROGRAMS)
	@for t in $^; do $$t || exit 1; done

clean:
	rm -rf build

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
