
/*
 * save_check.c: what must be true of a zone and its log after every op.
 */


#include "save_model.h"


static void
model_check_pubs(void)
{
    ngx_int_t     rc, right;
    ngx_uint_t    i;
    model_msg_t  *msg;
    model_pub_t  *pub;

    for (i = 0; i < m.n_pubs; i++) {
        pub = &m.pubs[i];

        if (sh->disk.failed - pub->failed >= NGX_HTTP_LONGPOLL_FAILURES) {

            /*
             * This publisher slept over more failures than the zone
             * remembers.
             */

            *pub = m.pubs[--m.n_pubs];
            i--;
            continue;
        }

        msg = model_find(pub->id);
        rc = ngx_http_longpoll_zone_disk_decided(z, pub->id, pub->failed);

        right = pub->id <= sh->clock.visible ? NGX_OK : NGX_AGAIN;

        if (msg->refused) {
            right = NGX_ERROR;
        }

        unit_must(rc == right, "a publish (%lx, %lu failures behind) is "
                  "decided %ld, not %ld", (unsigned long) pub->id,
                  (unsigned long) (sh->disk.failed - pub->failed), (long) rc,
                  (long) right);
    }
}


/* up to where the log and the ring drop messages of a category, or lose them */

static uint64_t  check_upto[MODEL_CATS];
static uint64_t  check_lost[MODEL_CATS];


static void
model_drop(uint64_t name, uint64_t upto, uint64_t lost)
{
    ngx_uint_t  i;

    for (i = 0; i < m.ncats; i++) {
        if (model_cats[i].hash[1] == name) {
            check_upto[i] = ngx_max(check_upto[i], upto);
            check_lost[i] = ngx_max(check_lost[i], lost);
        }
    }
}


/* of a message without an id of its own only the ms can be compared */

static ngx_uint_t
model_is_dropped(model_msg_t *msg)
{
    uint64_t  id, epoch, upto;

    upto = ngx_max(check_upto[msg->cat], check_lost[msg->cat]);

    if (ngx_http_longpoll_id_read(&msg->uuid, &id, &epoch)
        && model_ms(id) == model_ms(msg->id))
    {
        return id <= upto;
    }

    return model_ms(msg->id) < model_ms(upto);
}


static void
model_note(uint64_t high, uint64_t low)
{
    model_msg_t  *msg;

    msg = model_named(high, low);

    if (msg) {
        msg->noted = 1;
    }
}


/* what the log's lines and the ring say of the messages */

void
model_read_log(ngx_uint_t ring)
{
    uint64_t                      n;
    ngx_uint_t                    i;
    model_msg_t                  *msg;
    model_line_t                 *line;
    ngx_http_longpoll_note_sh_t  *note;

    ngx_memzero(check_upto, sizeof(check_upto));
    ngx_memzero(check_lost, sizeof(check_lost));

    for (i = 0; i < m.n_msgs; i++) {
        m.msgs[i].noted = 0;
        m.msgs[i].logged = 0;
        m.msgs[i].sure = 0;
    }

    for (i = 0; i < m.n_lines; i++) {
        line = &m.lines[i];

        if (!model_counts(line)) {
            continue;
        }

        if (line->kind == LINE_EVENT) {
            msg = model_find(line->id);

            if (msg) {
                msg->logged = 1;
                msg->sure |= line->segment != sh->disk.segment
                             || sh->disk.file_size;
            }

        } else if (line->kind == LINE_GONE) {
            model_note(line->word[0], line->word[1]);

        } else if (line->kind == LINE_DROP) {
            model_drop(line->word[0], line->word[1], line->word[2]);
        }
    }

    for (n = sh->disk.notes_first; ring && n < sh->disk.notes_last; n++) {
        note = &z->notes[n % z->nnotes];

        if (note->kind == NGX_HTTP_LONGPOLL_CONTROL_DELETION) {
            model_note(note->word[0], note->word[1]);

        } else {
            model_drop(note->word[0], note->word[1], note->word[2]);
        }
    }

    for (i = 0; i < m.n_msgs; i++) {
        m.msgs[i].noted |= model_is_dropped(&m.msgs[i]);
    }
}


/* the last head of the log; NULL: it has none */

model_line_t *
model_head(void)
{
    ngx_uint_t     i;
    model_line_t  *line, *head;

    head = NULL;

    for (i = 0; i < m.n_lines; i++) {
        line = &m.lines[i];

        if (line->kind == LINE_HEAD && model_counts(line)
            && (head == NULL || line->segment >= head->segment))
        {
            head = line;
        }
    }

    return head;
}


static void
model_check_head(void)
{
    ngx_uint_t     durable;
    model_line_t  *head;

    head = model_head();
    durable = head && head->word[1];

    unit_must(!sh->disk.begun || (head && head->id == sh->epoch),
              "the log does not know of this epoch");

    if (sh->disk.says != NGX_HTTP_LONGPOLL_SAYS_MAYBE && sh->disk.begun) {
        unit_must(durable == (sh->disk.says == NGX_HTTP_LONGPOLL_SAYS_YES),
                  "the log says durable:%lu, and the zone knows of %lu",
                  (unsigned long) durable, (unsigned long) sh->disk.says);
    }
}


static void
model_check_log(void)
{
    ngx_uint_t    i;
    model_msg_t  *msg;

    for (i = 0; i < m.n_lines; i++) {
        unit_must(m.lines[i].kind != LINE_EVENT
                  || m.lines[i].id <= sh->disk.taken_upto,
                  "an event has a line, and was given to no writer");
    }

    unit_must(sh->disk.after < sh->disk.segment
              && (m.damaged || sh->disk.lost || sh->disk.file_size
                  <= model_bytes_of(sh->disk.segment)),
              "the zone has another segment than the log");

    model_read_log(1);

    for (i = 0; i < m.n_msgs; i++) {
        msg = &m.msgs[i];

        if (msg->live) {
            unit_must(!msg->noted, "a live message of c%u is noted as gone",
                      msg->cat);
            unit_must(msg->sure || msg->id > cursors[SAVED].id
                      || m.damaged || sh->disk.lost,
                      "a message of c%u is saved, and not in the log",
                      msg->cat);

        } else {
            unit_must(!msg->logged || !msg->deleted || msg->noted
                      || sh->disk.stale || sh->disk.lost || m.damaged,
                      "a deleted message of c%u stands in the log without a "
                      "note", msg->cat);
        }
    }

    if (!m.damaged) {
        model_check_head();
    }
}


static void
model_check_whole(uint64_t id, const char *what)
{
    ngx_uint_t  i;

    for (i = model_index(id + 1); i < m.n_msgs; i++) {

        if (m.msgs[i].live) {
            unit_must(m.msgs[i].first > id, "a publish is %s in part", what);
            break;
        }
    }
}


void
model_check(ngx_uint_t exact)
{
    uint64_t     upto;
    const char  *wrong;

    wrong = zone_check(z);
    unit_must(wrong == NULL, "zone_check: %s", wrong);

    model_check_whole(sh->clock.visible, "visible");
    model_check_whole(cursors[SAVED].id, "saved");

    if (m.writing) {
        model_check_whole(cursors[NEXT].id, "in the round at hand");
    }

    if (sh->disk.durable) {
        upto = ngx_max(m.exempt, cursors[SAVED].id);
        unit_must(exact ? sh->clock.visible == upto : sh->clock.visible <= upto,
                  "visible is %lx, not %lx", (unsigned long) sh->clock.visible,
                  (unsigned long) upto);
        unit_must(!exact || cursors[EXPOSED].ref == 0
                  || model_at(cursors[EXPOSED].ref)->id > sh->clock.visible,
                  "a visible message wakes no waiter");

        if (!m.killed) {
            unit_must(!exact || sh->disk.refused == 0,
                      "refused messages stay");
        }
    }

    if (!m.killed) {
        unit_must(sh->counters.published == m.published,
                  "%lu are published, not %lu",
                  (unsigned long) sh->counters.published,
                  (unsigned long) m.published);
    }

    model_check_pubs();
    model_check_log();
}
