
/*
 * feed_check.c: what a zone has is compared with what it was brought.
 */


#include "feed_model.h"


static void
model_check_events(model_node_t *node, model_state_t *state, ngx_uint_t partly)
{
    uint32_t                     ref;
    uint64_t                     number, id, epoch;
    ngx_uint_t                   i;
    model_event_t               *event;
    ngx_http_longpoll_uuid_t     uuid;
    ngx_http_longpoll_msg_sh_t  *msg;

    i = 0;

    for (ref = node->zone.sh->list.oldest; ref; ref = msg->newer) {
        msg = ngx_http_longpoll_zone_msg(&node->zone, ref);

        ngx_memcpy(&number, (u_char *) msg
                            + ngx_http_longpoll_zone_front(msg->rec.bits)
                            + msg->rec.name_len, sizeof(number));

        while (partly && i < state->n && state->events[i] != number) {
            i++;
        }

        unit_must(i < state->n && state->events[i] == number,
                  "the zone has event %lu, not %lu", (unsigned long) number,
                  i < state->n ? (unsigned long) state->events[i] : 0);

        i++;
        event = &m.events[number];
        ngx_http_longpoll_zone_msg_uuid(&node->zone, msg, &uuid);

        unit_must(msg->id == event->id, "an event has another id");
        unit_must(ngx_http_longpoll_id_read(&uuid, &id, &epoch)
                  && id == event->id && epoch == event->epoch,
                  "event %lu has another UUID", (unsigned long) number);
    }

    unit_must(partly || i == state->n, "the zone lacks event %lu",
              i < state->n ? (unsigned long) state->events[i] : 0);
}


/* an epoch that the zone knows begins where it began, also behind a kill */

static void
model_check_epochs(model_node_t *node)
{
    uint64_t                      epoch;
    ngx_uint_t                    i;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = node->zone.sh;

    for (i = 0; i < NGX_HTTP_LONGPOLL_EPOCHS; i++) {
        epoch = sh->epochs[i];

        unit_must(epoch == 0 || sh->feed.begins[i] == m.begins[epoch >> 32],
                  "epoch %lx begins at %lx", (unsigned long) epoch,
                  (unsigned long) sh->feed.begins[i]);
    }
}


void
model_check(model_node_t *node, model_state_t *state, ngx_uint_t partly)
{
    const char                      *wrong;
    ngx_http_longpoll_zone_place_t  *at;
    ngx_http_longpoll_zone_sh_t     *sh;

    sh = node->zone.sh;
    at = &sh->feed.at;

    wrong = zone_check(&node->zone);
    unit_must(wrong == NULL, "zone_check: %s", wrong);

    model_check_events(node, state, partly);
    model_check_epochs(node);

    unit_must(sh->clock.visible == state->visible, "visible is %lx, not %lx",
              (unsigned long) sh->clock.visible,
              (unsigned long) state->visible);
    unit_must(at->place.ms == state->place.ms
              && at->place.seq == state->place.seq
              && (at->place.ms == 0
                  || (at->hash[0] == state->hash
                      && at->hash[1] == ~state->hash)), "the place");
    unit_must(at->number == state->number, "the number is %lu, not %lu",
              (unsigned long) at->number, (unsigned long) state->number);
    unit_must(sh->feed.gap == state->gap, "the gap is %lx, not %lx",
              (unsigned long) sh->feed.gap, (unsigned long) state->gap);
    unit_must(sh->feed.begin == state->begin, "the beginning");
    unit_must(state->begin == 0 || sh->epoch == state->epoch, "the epoch");
    unit_must(partly || sh->feed.synced == state->synced, "synced");
}


void
model_check_killed(model_node_t *node)
{
    model_state_t                *next;
    ngx_http_longpoll_feed_sh_t  *feed;

    feed = &node->zone.sh->feed;
    next = &node->next;

    if (feed->at.place.ms == next->place.ms
        && feed->at.place.seq == next->place.seq
        && feed->begin == next->begin
        && (node->zone.sh->list.count == next->n || next->n == 0)
        && feed->synced == next->synced)
    {
        model_check(node, next, 0);
        return;
    }

    model_check(node, &node->state, 1);
}


/* all that both have; without the lock nothing else runs */

void
model_check_same(model_node_t *a, model_node_t *b)
{
    uint32_t                     ref, other;
    uint64_t                     from;
    ngx_http_longpoll_uuid_t     one, two;
    ngx_http_longpoll_msg_sh_t  *msg, *with;

    /* what was wiped some have, and others have not */

    from = ngx_max(a->state.gap, b->state.gap);
    from = m.flags & MODEL_FAULTS ? ngx_max(from, a->state.begin) : from;
    ref = a->zone.sh->list.newest;
    other = b->zone.sh->list.newest;

    while (ref && other) {
        msg = ngx_http_longpoll_zone_msg(&a->zone, ref);
        with = ngx_http_longpoll_zone_msg(&b->zone, other);

        if (msg->id < from && with->id < from) {
            return;
        }

        ngx_http_longpoll_zone_msg_uuid(&a->zone, msg, &one);
        ngx_http_longpoll_zone_msg_uuid(&b->zone, with, &two);

        unit_must(one.high == two.high && one.low == two.low,
                  "two nodes have other events");

        ref = msg->older;
        other = with->older;
    }

    unit_must((ref == 0
               || ngx_http_longpoll_zone_msg(&a->zone, ref)->id < from)
              && (other == 0
                  || ngx_http_longpoll_zone_msg(&b->zone, other)->id < from),
              "a node lacks events");

    unit_must(ngx_http_longpoll_zone_clock_closed(&a->zone)
              == ngx_http_longpoll_zone_clock_closed(&b->zone)
              && a->zone.sh->epoch == b->zone.sh->epoch,
              "a node at %lx of %lx issues other times than one at %lx of %lx",
              (unsigned long) a->state.visible, (unsigned long) a->state.epoch,
              (unsigned long) b->state.visible, (unsigned long) b->state.epoch);
}
