# shoal - live video with no server.
#
#   make                       build/shoal, a development build (warnings are errors)
#   make demo                  installs what is missing, builds, and puts a test channel on air
#   make test                  installs what tests need besides, builds and runs all of them
#   make lint                  format, sizes, layers, clang's and cppcheck's opinion
#   make unit | sim | race | e2e | lab | fuzz | bench      one kind of test (FUZZ_SECONDS=10)
#   make bench-programs        of the bench, what takes two minutes and no other programs
#   make sim-traces            builds three simulators and compares what they trace
#   make pacing                the pacer and others, compared over simulated uplinks
#   make install DESTDIR= PREFIX=/usr/local
#   make clean
#
#   make CC=clang              the same with clang, in its own folder
#   make SAN=address,undefined a sanitized build, in its own folder (also SAN=thread)
#   make WERROR=               for compilers with warnings of their own
#   make V=1                   shows the commands
#
# Objects stand under build/<variant>/; build/shoal is a link to the program that was built last.

CC      ?= gcc
CFLAGS  ?= -O2 -g
WERROR  ?= -Werror
SAN     ?=
PREFIX  ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 10

ifeq ($(origin CC),default)
CC := gcc
endif

comma   := ,
VARIANT := $(notdir $(firstword $(CC)))$(if $(SAN),-$(subst $(comma),-,$(SAN)))
OUT     := build/$(VARIANT)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wconversion $(WERROR)
PACKAGES := libevent_core libevent_extra libsodium x264 libavformat libavcodec libavfilter \
            libavdevice libavutil libswscale libswresample
# What the simulator draws with; its headers are under /usr/include.
SIM_PACKAGES := cairo
# Asked once, and only when a compiler runs: scripts/setup may still have to install pkg-config.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PACKAGES)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $$(shell pkg-config --libs $(PACKAGES)) -lopendht-c -lpthread -lm)$(PKG_LIBS)
SIM_LIBS   = $(eval SIM_LIBS := $$(shell pkg-config --libs $(SIM_PACKAGES)))$(SIM_LIBS)

SANITIZE      := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
LINK_SANITIZE := $(SANITIZE)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -I. -MMD -MP $(WARNINGS) $(CFLAGS) $(SANITIZE) $(PKG_CFLAGS)
LINK       = $(CC) $(LDFLAGS) $(LINK_SANITIZE) -o $@ $(filter %.o,$^) $(filter %.a,$^)

# A short line for each step; V=1 shows the whole commands.
say        = $(if $(V),,@echo '  $(1)	$@';)

LIB_SOURCES := $(sort $(wildcard core/*/*.c dht/*.c media/*.c))
WEB_FILES   := $(sort $(wildcard media/web/*))
CLI_SOURCES := $(sort $(filter-out cli/main.c,$(wildcard cli/*.c)))
# A function, because a % that stands in a pattern rule's prerequisites is replaced by the stem.
objects      = $(patsubst %.c,$(OUT)/%.o,$(1))

PROGRAM  := $(if $(wildcard cli/main.c),$(OUT)/shoal)
ARCHIVES := $(OUT)/libcli.a $(OUT)/libshoal.a
LIB_TEST := $(OUT)/tests/libtest.a

# One Criterion program for each folder of unit tests.
UNIT_FOLDERS  := $(sort $(patsubst tests/unit/%/,%,$(dir $(wildcard tests/unit/*/*.c))))
UNIT_PROGRAMS := $(UNIT_FOLDERS:%=$(OUT)/tests/unit-%)

# In the other folders each file with a main or with Criterion's tests is a program; the rest of
# the folder is linked with each of them.
mains    = $(if $(wildcard tests/$(1)/*.c),$(shell grep -lE '^int main|<criterion/' $(sort $(wildcard tests/$(1)/*.c))))
programs = $(patsubst tests/$(1)/%.c,$(OUT)/tests/$(1)-%,$(call mains,$(1)))
SIM_PROGRAMS   := $(filter-out $(OUT)/tests/sim-main,$(call programs,sim))
RACE_PROGRAMS  := $(call programs,race)
E2E_PROGRAMS   := $(call programs,e2e)
BENCH_PROGRAMS := $(call programs,bench)
# One simulation, with the program's own pacer and with the ones that it was compared with.
PACING_OBJECTS  := $(call objects,$(filter-out tests/pacing/control%.c,$(wildcard tests/pacing/*.c)))
PACING_PROGRAMS := $(OUT)/tests/pacing-pace $(patsubst tests/pacing/control_%.c,$(OUT)/tests/pacing-%,$(wildcard tests/pacing/control_*.c))
LAB_PROGRAMS   := $(call programs,lab)
E2E_SCRIPTS    := $(sort $(wildcard tests/e2e/*.sh tests/e2e/*.py))
LAB_SCRIPTS    := $(sort $(wildcard tests/lab/test_*.py))
FUZZ_SOURCES   := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_PROGRAMS  := $(FUZZ_SOURCES:tests/fuzz/%.c=$(OUT)/tests/%)

# Simulations may put tags in place of core/crypto (tests/sim/tags.h): the linker leads its calls
# there. Nothing else is linked so, but for the measurement of what that saves.
TAG_SYMBOLS     := tests/sim/tags.symbols
TAG_FLAGS       := $(patsubst %,-Wl$(comma)--wrap=%,$(shell cat $(TAG_SYMBOLS)))
# And lies in place of what a hostile peer says (tests/sim/world_polluters.c).
LIAR_SYMBOLS    := tests/sim/liars.symbols
LIAR_FLAGS      := $(patsubst %,-Wl$(comma)--wrap=%,$(shell cat $(LIAR_SYMBOLS)))
TAG_OBJECTS     := $(call objects,$(sort $(wildcard tests/sim/tag*.c)))
TAGGED_PROGRAMS := $(SIM_PROGRAMS) $(OUT)/tests/sim-main $(OUT)/tests/bench-bench_tags

# What other variants build: races always with ThreadSanitizer, fuzzing always with clang.
RACE_MAKE      = $(MAKE) --no-print-directory SAN=thread
RACE_ELSEWHERE = $(subst $(OUT),build/$(notdir $(firstword $(CC)))-thread,$(RACE_PROGRAMS))
FUZZ_MAKE      = $(MAKE) --no-print-directory CC=clang SAN=fuzzer-no-link,address,undefined VARIANT=fuzz \
                 LINK_SANITIZE=-fsanitize=fuzzer,address,undefined
FUZZ_ELSEWHERE = $(subst $(OUT),build/fuzz,$(FUZZ_PROGRAMS))

CHECKS := scripts/check-layers "scripts/check-layers --self-test" "scripts/lint --fast" \
          "scripts/lint --self-test" scripts/check-setup "scripts/run-tests --self-test" \
          "scripts/sweep --self-test" "scripts/scenarios --self-test" \
          $(if $(PROGRAM),scripts/check-manual)
RUN_TESTS = OUT=$(OUT) SHOAL=$(OUT)/shoal scripts/run-tests --logs $(OUT)/logs
# As many jobs as there are processors, unless the caller chose a number.
JOBS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: all demo test test-programs unit sim sim-traces pacing race e2e lab fuzz bench bench-programs lint lint-objects install clean force
.DELETE_ON_ERROR:
all: $(if $(PROGRAM),build/shoal,$(ARCHIVES))

build/shoal: $(OUT)/shoal force
	@[ "$$(readlink $@)" = $(VARIANT)/shoal ] || ln -sfn $(VARIANT)/shoal $@

$(OUT)/shoal: $(OUT)/cli/main.o $(ARCHIVES)
	$(call say,LINK)$(LINK) $(PKG_LIBS)

# The simulator, from the same objects.
build/shoal-sim: $(OUT)/tests/sim-main force
	@[ "$$(readlink $@)" = $(VARIANT)/tests/sim-main ] || ln -sfn $(VARIANT)/tests/sim-main $@

$(OUT)/libshoal.a: $(call objects,$(LIB_SOURCES)) $(OUT)/media/web_assets.o $(OUT)/sources
$(OUT)/libcli.a: $(call objects,$(CLI_SOURCES)) $(OUT)/sources
$(LIB_TEST): $(call objects,$(sort $(wildcard tests/lib/*.c))) $(OUT)/sources
$(ARCHIVES) $(LIB_TEST):
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcs $@ $(filter %.o,$^)

$(OUT)/%.o: %.c $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# The player page, built into the program.
$(OUT)/media/web_assets.c: $(WEB_FILES) scripts/embed-web $(OUT)/sources
	@mkdir -p $(@D)
	$(call say,WEB)scripts/embed-web $(WEB_FILES) > $@
$(OUT)/media/web_assets.o: $(OUT)/media/web_assets.c $(OUT)/flags
	$(call say,CC)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Two files that change only when the flags or the set of sources do, so that a build after such a
# change is right without a `make clean`.
remember = @mkdir -p $(@D); printf '%s\n' '$(1)' | cmp -s - $@ || printf '%s\n' '$(1)' > $@
$(OUT)/flags: force
	@pkg-config --exists $(PACKAGES) || { echo "libraries or pkg-config are missing: run scripts/setup" >&2; exit 1; }
	$(call remember,$(CC) $(ALL_CFLAGS) | $(LDFLAGS) $(LINK_SANITIZE) $(PKG_LIBS))
$(OUT)/sources: force
	$(call remember,$(LIB_SOURCES) $(CLI_SOURCES) $(WEB_FILES) $(wildcard tests/lib/*.c))

.SECONDEXPANSION:
TEST_LIBS = $(LIB_TEST) $(ARCHIVES)
$(OUT)/tests/unit-%: $$(call objects,$$(wildcard tests/unit/$$*/*.c)) $$(TEST_LIBS)
	$(call say,LINK)$(LINK) -lcriterion $(PKG_LIBS)

define program_rules
$(OUT)/tests/$(1)-%: $(OUT)/tests/$(1)/%.o $(call objects,$(filter-out $(call mains,$(1)),$(wildcard tests/$(1)/*.c))) $$$$(TEST_LIBS)
	$$(call say,LINK)$$(LINK) -Wl,--as-needed -lcriterion $$(PKG_LIBS) $(if $(filter sim,$(1)),$$(SIM_LIBS))
endef
$(foreach kind,sim race e2e lab bench,$(eval $(call program_rules,$(kind))))
$(TAGGED_PROGRAMS): LINK += $(TAG_FLAGS)
$(TAGGED_PROGRAMS): $(TAG_SYMBOLS)
$(SIM_PROGRAMS) $(OUT)/tests/sim-main: LINK += $(LIAR_FLAGS)
$(SIM_PROGRAMS) $(OUT)/tests/sim-main: $(LIAR_SYMBOLS)
$(OUT)/tests/bench-bench_tags: $(TAG_OBJECTS)

$(OUT)/tests/pacing-pace: $(PACING_OBJECTS) $$(TEST_LIBS)
	$(call say,LINK)$(LINK) $(PKG_LIBS)
# A pacer that stands before the archives takes the place of theirs.
$(OUT)/tests/pacing-%: $(OUT)/tests/pacing/control_%.o $(OUT)/tests/pacing/control.o $(PACING_OBJECTS) $$(TEST_LIBS)
	$(call say,LINK)$(LINK) $(PKG_LIBS)

$(OUT)/tests/fuzz_%: $(OUT)/tests/fuzz/fuzz_%.o $(call objects,$(filter-out $(FUZZ_SOURCES),$(wildcard tests/fuzz/*.c))) $$(TEST_LIBS)
	$(call say,LINK)$(LINK) $(PKG_LIBS)

.PHONY: unit-programs race-programs fuzz-programs
unit-programs: $(UNIT_PROGRAMS)
race-programs: $(RACE_PROGRAMS)
fuzz-programs: $(FUZZ_PROGRAMS)
test-programs: all unit-programs $(SIM_PROGRAMS) $(OUT)/tests/pacing-pace $(E2E_PROGRAMS) $(LAB_PROGRAMS)
	$(if $(RACE_PROGRAMS),+@$(RACE_MAKE) race-programs)
	$(if $(FUZZ_PROGRAMS),+@$(FUZZ_MAKE) fuzz-programs)

demo:
	@scripts/setup
	+@$(MAKE) --no-print-directory $(JOBS) all
	@scripts/demo

test:
	@scripts/setup --tests
	+@$(MAKE) --no-print-directory $(JOBS) test-programs
	@$(RUN_TESTS) --fuzz-seconds 3 $(CHECKS) $(UNIT_PROGRAMS) $(SIM_PROGRAMS) \
	    "$(OUT)/tests/pacing-pace --check" $(RACE_ELSEWHERE) \
	    $(FUZZ_ELSEWHERE) $(E2E_PROGRAMS) $(E2E_SCRIPTS) $(LAB_SCRIPTS)

# Plain programs for the thread sanitizer, which Criterion does not run under.
$(OUT)/tests/race-%: $(OUT)/tests/race/race_%.o $(OUT)/libshoal.a
	$(CC) $(SANITIZE) -o $@ $^ $(PKG_LIBS)

unit: $(UNIT_PROGRAMS)
	@$(RUN_TESTS) $^
# The tests, then each scenario at 100 peers: what it should show and does not is told.
sim: $(SIM_PROGRAMS) build/shoal-sim
	@$(RUN_TESTS) $(SIM_PROGRAMS)
	@scripts/scenarios
# The same trace whoever compiled it, and however.
sim-traces:
	+@$(MAKE) --no-print-directory $(JOBS) CC=gcc build/gcc/tests/sim-main
	+@$(MAKE) --no-print-directory $(JOBS) CC=clang build/clang/tests/sim-main
	+@$(MAKE) --no-print-directory $(JOBS) CC=gcc CFLAGS=-O0 VARIANT=gcc-O0 build/gcc-O0/tests/sim-main
	@scripts/scenarios --traces build/gcc/tests/sim-main build/clang/tests/sim-main build/gcc-O0/tests/sim-main
race:
	+@$(RACE_MAKE) race-programs
	@$(RUN_TESTS) $(RACE_ELSEWHERE)
e2e: all $(E2E_PROGRAMS)
	@$(RUN_TESTS) $(E2E_PROGRAMS) $(E2E_SCRIPTS)
lab: all $(LAB_PROGRAMS)
	@$(RUN_TESTS) $(LAB_SCRIPTS)
fuzz:
	@scripts/setup --tests
	+@$(FUZZ_MAKE) fuzz-programs
	@$(RUN_TESTS) --fuzz-seconds $(FUZZ_SECONDS) $(FUZZ_ELSEWHERE)
pacing: $(PACING_PROGRAMS)
	@for p in $^; do echo "$$p"; $$p || exit 1; done
bench-programs: $(BENCH_PROGRAMS)
	@for b in $^; do $$b || exit 1; done
# Those, and shoal beside others: 25 minutes.
bench: all bench-programs $(LAB_PROGRAMS)
	@scripts/setup --bench
	@tests/bench/forward
	@tests/bench/compare.py
	@tests/bench/table.py --plot tests/bench/compare.svg

lint:
	@scripts/setup --tests
	@scripts/lint
	@scripts/check-layers
	+@$(MAKE) --no-print-directory $(JOBS) CC=gcc lint-objects
	+@$(MAKE) --no-print-directory $(JOBS) CC=clang lint-objects
lint-objects: all $(call objects,$(sort $(wildcard tests/*/*.c tests/unit/*/*.c)))

install: all $(OUT)/shoal.1 $(OUT)/shoal.bash
	install -D -m 755 $(OUT)/shoal $(DESTDIR)$(PREFIX)/bin/shoal
	install -D -m 644 $(OUT)/shoal.1 $(DESTDIR)$(PREFIX)/share/man/man1/shoal.1
	install -D -m 644 $(OUT)/shoal.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/shoal
$(OUT)/shoal.1: cli/shoal.1.in $(OUT)/shoal
	scripts/make-man $(OUT)/shoal > $@
$(OUT)/shoal.bash: $(OUT)/shoal
	$< --completion > $@

clean:
	rm -rf build

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
