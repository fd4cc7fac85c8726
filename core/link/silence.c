/* silence.c - when silence means that a peer is gone.
 *
 * Where nobody at all is heard it is our own network that is down: all links outlive that, and are
 * asked at once when it is back. A peer whose own network may be down, and whom nobody can replace,
 * is waited for as long (link_set_patient). */
#include "core/link/link_internal.h"

#define OUTAGE_LEAST_US (2 * US_PER_S)    /* nobody is heard; the idle are heard every 1.5 s */
#define RESUMED_US (1 * US_PER_S)         /* for an answer when somebody was heard again */
#define SILENCE_MIN_US (2500 * US_PER_MS) /* from the first unanswered question */

uint64_t silence_end(const struct link *l) {
    const struct links *ls = l->links;
    if (l->state != LINK_UP || l->waiting_since_us == TIME_NEVER) return TIME_NEVER;
    uint64_t most_us = l->is_patient ? LINK_OUTAGE_US : LINK_IDLE_US;
    uint64_t end_us = u64_max(l->received_us + most_us, l->waiting_since_us + SILENCE_MIN_US);
    if (l->received_us < ls->resumed_us) end_us = u64_max(end_us, ls->resumed_us + RESUMED_US);
    bool is_outage = ls->counts[LINK_UP] > 1 && end_us > ls->heard_us + OUTAGE_LEAST_US;
    return is_outage ? u64_max(end_us, ls->heard_us + LINK_OUTAGE_US) : end_us;
}

bool silence_is_long(const struct link *l, uint64_t now_us) {
    return l->state == LINK_UP && now_us - l->received_us >= LINK_IDLE_US;
}

/* It is there after all. */
static void end_dials(struct link *heard, uint64_t now_us) {
    size_t at = 0;
    for (struct link *l; (l = links_next(heard->links, &heard->peer, &at)) != NULL;)
        if (l->state == LINK_DIALLING) link_end(l, LINK_END_LOCAL, now_us);
}

static void resume(struct links *ls, uint64_t now_us) {
    size_t at = 0;
    ls->resumed_us = now_us;
    for (struct link *l; (l = table_next(&ls->table, NULL, &at)) != NULL;) {
        if (l->state != LINK_UP) continue;
        l->ping_is_due = true;
        links_touch(l);
    }
}

void silence_heard(struct link *l, uint64_t now_us) {
    struct links *ls = l->links;
    bool was_outage = ls->counts[LINK_UP] > 1 && now_us - ls->heard_us > OUTAGE_LEAST_US;
    if (silence_is_long(l, now_us)) end_dials(l, now_us);
    ls->heard_us = l->received_us = now_us;
    l->waiting_since_us = TIME_NEVER;
    if (was_outage) resume(ls, now_us);
}

void link_set_patient(struct link *l, bool is_patient, uint64_t now_us) {
    links_enter(l->links, now_us);
    l->is_patient = is_patient;
    links_touch(l);
    links_leave(l->links);
}
