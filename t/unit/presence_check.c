
/*
 * presence_check.c: the follower of presence's events, and what it believes.
 */


#include "presence_model.h"


static model_cat_t *model_named(u_char *p, size_t len);
static void model_event(ngx_http_longpoll_msg_sh_t *msg);
static void model_check_pages(void);
static void model_check_listed(ngx_http_longpoll_zone_entry_t *entry,
    ngx_uint_t *listed);
static void model_check_entry(ngx_http_longpoll_presence_unit_t *unit,
    ngx_uint_t flies);


/* reads what is visible and new */

void
model_follow(void)
{
    uint32_t                      slot, ref;
    ngx_http_longpoll_zone_sh_t  *sh;
    ngx_http_longpoll_msg_sh_t   *msg;

    sh = m.zone.sh;
    slot = ngx_http_longpoll_cat_find(&m.zone.cats, sh->presence.hash);
    ref = slot == NGX_HTTP_LONGPOLL_CAT_NONE ? 0
                                             : m.zone.cats.slots[slot].first;

    for ( /* void */ ; ref; ref = msg->next) {
        msg = ngx_http_longpoll_zone_msg(&m.zone, ref);

        if (msg->id > sh->clock.visible) {
            break;
        }

        if (msg->id > m.seen) {
            model_event(msg);
            m.seen = msg->id;
        }
    }
}


static void
model_event(ngx_http_longpoll_msg_sh_t *msg)
{
    size_t        len, head;
    u_char       *data;
    ngx_uint_t    i, present;
    model_cat_t  *c;

    static const char  reset[] = "{\"present\":\"reset\"}";

    data = (u_char *) msg + ngx_http_longpoll_zone_front(msg->rec.bits)
           + msg->rec.name_len;
    len = msg->data_len;

    if (len == sizeof(reset) - 1 && memcmp(data, reset, len) == 0) {

        for (i = 0; i < m.ncats; i++) {
            m.cats[i].believed = 0;
        }

        return;
    }

    head = sizeof("{\"category\":\"") - 1;
    present = (memcmp(data + len - 5, "true}", 5) == 0);
    len -= head + (present ? sizeof("\",\"present\":true}") - 1
                           : sizeof("\",\"present\":false}") - 1);

    c = model_named(data + head, len);

    unit_must(c->believed != present, "c%ld is told %lu twice",
              (long) (c - m.cats), (unsigned long) present);

    c->believed = present;
    c->unsettled = 1;
    unit->messages++;
}


/* the names have no escape but \u0001 */

static model_cat_t *
model_named(u_char *p, size_t len)
{
    size_t      n;
    u_char      name[NGX_HTTP_LONGPOLL_MAX_CATEGORY];
    ngx_uint_t  i;

    for (n = 0; len; n++) {
        unit_must(n < sizeof(name), "a name is too long");

        if (*p == '\\') {
            name[n] = 1;
            p += 6;
            len -= 6;

        } else {
            name[n] = *p++;
            len--;
        }
    }

    for (i = 0; i < m.ncats; i++) {
        if (m.cats[i].cat.name.len == n
            && memcmp(m.cats[i].name, name, n) == 0)
        {
            return &m.cats[i];
        }
    }

    unit_fail("an event names no category");

    return NULL;
}


void
model_check(void)
{
    uint32_t                            n;
    ngx_int_t                           decided;
    ngx_uint_t                          i, flying;
    const char                         *wrong;
    ngx_http_longpoll_presence_sh_t    *presence;
    ngx_http_longpoll_presence_unit_t  *unit_at;

    wrong = zone_check(&m.zone);
    unit_must(wrong == NULL, "zone_check: %s", wrong);

    model_follow();

    presence = &m.zone.sh->presence;
    flying = 0;

    if (presence->flying) {
        decided = ngx_http_longpoll_zone_disk_decided(&m.zone,
                                                      presence->flight_id,
                                                      presence->failed);
        flying = decided == NGX_OK ? presence->flying : 0;
    }

    /* behind a reset, until the walk has passed, entries are believed late */

    if (flying == NGX_HTTP_LONGPOLL_FLYING_RESET || presence->walk) {
        return;
    }

    n = presence->table.queues[NGX_HTTP_LONGPOLL_PRESENCE_DUE].oldest;

    for (i = 0; n; i++) {
        unit_at = ngx_http_longpoll_presence_at(&m.zone.present, n);
        model_check_entry(unit_at, i < flying);
        n = unit_at->u.entry.newer;
    }

    for (n = 0; n < presence->table.fresh; n++) {
        unit_at = &m.zone.present.units[n];

        if (unit_at->state == NGX_HTTP_LONGPOLL_PRESENCE_PRESENT) {
            model_check_entry(unit_at, 0);
        }
    }

    for (i = 0; i < m.ncats; i++) {
        unit_must(!m.cats[i].believed || presence->reset
                  || ngx_http_longpoll_presence_find(&m.zone.present,
                                                     m.cats[i].cat.hash),
                  "c%lu has no entry, and is believed present",
                  (unsigned long) i);
    }
}


static void
model_check_entry(ngx_http_longpoll_presence_unit_t *unit_at, ngx_uint_t flies)
{
    u_char       *end, name[NGX_HTTP_LONGPOLL_MAX_CATEGORY];
    ngx_uint_t    i, told;

    for (i = 0; m.cats[i].cat.hash[1] != unit_at->u.entry.hash[1]; i++) {
        unit_must(i + 1 < m.ncats, "an entry of no category");
    }

    end = ngx_http_longpoll_presence_name(&m.zone.present, unit_at, name);

    unit_must((size_t) (end - name) == m.cats[i].cat.name.len
              && memcmp(name, m.cats[i].name, end - name) == 0,
              "the name of c%lu", (unsigned long) i);

    told = (unit_at->state != NGX_HTTP_LONGPOLL_PRESENCE_ARRIVED);

    /* a reset is due, as the category had no room in a zone of another size */

    if (!told && m.zone.sh->presence.reset) {
        return;
    }

    unit_must(m.cats[i].believed == (told ^ flies),
              "c%lu is in state %u, and believed %lu", (unsigned long) i,
              unit_at->state, (unsigned long) m.cats[i].believed);
}


/* all that is due was told, at m.now */

void
model_check_settled(void)
{
    uint64_t                            workers;
    ngx_uint_t                          i;
    model_cat_t                        *c;
    ngx_http_longpoll_presence_unit_t  *unit_at;

    for (i = 0; i < m.ncats; i++) {
        c = &m.cats[i];
        unit_at = ngx_http_longpoll_presence_find(&m.zone.present, c->cat.hash);

        workers = unit_at ? unit_at->u.entry.workers : 0;

        if (c->unknown) {

            /* the zone may not know that it was there, but knows that it is */

            c->unknown = workers != c->workers
                         || (workers == 0 && m.now < c->last + MODEL_GRACE);
            continue;
        }

        unit_must(workers == (c->workers & ~c->away),
                  "the workers that wait for c%lu", (unsigned long) i);

        unit_must(ngx_http_longpoll_zone_presence_has(&m.zone, c->cat.hash)
                  == c->believed, "c%lu is present, or is not",
                  (unsigned long) i);

        if (c->workers || m.now < c->last + MODEL_GRACE) {
            unit_must(c->believed, "c%lu is there, and not believed",
                      (unsigned long) i);

        } else if (!c->old
                   && m.now >= MODEL_GRACE
                            + ngx_max(ngx_max(c->last, c->maybe),
                                      ngx_max(c->told, c->forgotten)))
        {
            unit_must(!c->believed, "c%lu has left, and is believed",
                      (unsigned long) i);
        }
    }

    model_check_pages();
}


/* each category that is present is listed once, and no other one is */

static void
model_check_pages(void)
{
    u_char                          names[2 * NGX_HTTP_LONGPOLL_MAX_CATEGORY];
    ngx_uint_t                      i, listed[MODEL_CATS];
    ngx_http_longpoll_zone_page_t   page;
    ngx_http_longpoll_zone_entry_t  entries[9];

    ngx_memzero(listed, sizeof(listed));
    ngx_memzero(&page, sizeof(page));

    page.entries = entries;

    while (!page.complete) {
        page.n = 0;
        page.max = 1 + unit_below(9);
        page.names = names;
        page.end = names + sizeof(names);

        (void) ngx_http_longpoll_zone_page_read(&m.zone, &page,
                               page.from | (uint64_t) -1 >> unit_below(12));

        for (i = 0; i < page.n; i++) {
            model_check_listed(&entries[i], listed);
        }
    }

    for (i = 0; i < m.ncats; i++) {
        unit_must(listed[i] == (m.cats[i].unknown
                          ? ngx_http_longpoll_zone_presence_has(&m.zone,
                                                          m.cats[i].cat.hash)
                          : m.cats[i].believed),
                  "c%lu is listed as present %lu times", (unsigned long) i,
                  (unsigned long) listed[i]);
    }
}


static void
model_check_listed(ngx_http_longpoll_zone_entry_t *entry, ngx_uint_t *listed)
{
    ngx_uint_t  i;

    unit_must(entry->status.presence, "a list does not say who is present");

    if (!entry->status.present) {
        return;
    }

    for (i = 0; ngx_http_longpoll_hash_place(m.cats[i].cat.hash[1])
                != entry->place;
         i++)
    {
        unit_must(i + 1 < m.ncats, "a list has no category of ours");
    }

    unit_must(entry->name.len == m.cats[i].cat.name.len
              && memcmp(entry->name.data, m.cats[i].name, entry->name.len) == 0,
              "c%lu is listed by another name", (unsigned long) i);

    listed[i]++;
}
