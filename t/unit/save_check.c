
/*
 * save_check.c: what must be true of a zone and its file after every op.
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


static ngx_uint_t
model_in_ring(ngx_http_longpoll_uuid_t *uuid)
{
    uint64_t  n;

    for (n = sh->disk.deletions_first; n < sh->disk.deletions_last; n++) {
        if (z->deletions[n % z->ndeletions].uuid.high == uuid->high
            && z->deletions[n % z->ndeletions].uuid.low == uuid->low)
        {
            return 1;
        }
    }

    return 0;
}


static void
model_check_file(void)
{
    uint64_t      id;
    ngx_uint_t    i, k;
    model_msg_t  *msg;

    id = 0;

    for (i = 0; i < m.n_file; i++) {
        unit_must(m.file[i] > id, "a line of the file is out of order");
        id = m.file[i];
    }

    if (!m.lost) {
        unit_must(m.n_file == sh->disk.file_size
                  && m.n_notes <= sh->disk.state_size,
                  "the file has %lu lines and %lu notes, not %lu and %lu",
                  (unsigned long) m.n_file, (unsigned long) m.n_notes,
                  (unsigned long) sh->disk.file_size,
                  (unsigned long) sh->disk.state_size);
        unit_must(id <= cursors[SAVED].id, "a line of the file is not saved");
    }

    /* a live message that is saved is in the file */

    for (i = 0, k = 0; i < m.n_msgs; i++) {
        msg = &m.msgs[i];

        while (k < m.n_file && m.file[k] < msg->id) {
            k++;
        }

        if (msg->live && msg->id <= cursors[SAVED].id && !m.lost) {
            unit_must(k < m.n_file && m.file[k] == msg->id,
                      "a message is not in the file");
        }
    }

    /* a live message has no deletion record */

    for (id = sh->disk.deletions_first; id < sh->disk.deletions_last; id++) {
        msg = model_named(z->deletions[id % z->ndeletions].uuid.high,
                          z->deletions[id % z->ndeletions].uuid.low);

        unit_must(msg == NULL || !msg->live,
                  "a live message of c%u has a deletion record", msg->cat);
    }

    if (sh->disk.file_dead || m.lost) {
        return;
    }

    /* a deleted message in the file has a note */

    for (i = 0; i < m.n_msgs; i++) {
        m.msgs[i].noted = 0;
    }

    for (i = 0; i < m.n_notes; i++) {
        if (m.notes[i].kind == NGX_HTTP_LONGPOLL_NOTE_DELETION) {
            msg = model_named(m.notes[i].word[0], m.notes[i].word[1]);
            if (msg) {
                msg->noted = 1;
            }
        }
    }

    for (i = 0; i < m.n_file; i++) {
        msg = model_find(m.file[i]);

        unit_must(msg->live || !msg->deleted || msg->noted
                  || model_in_ring(&msg->uuid),
                  "a deleted message of c%u stands in the file without a note",
                  msg->cat);
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

    if (m.ready) {
        model_check_whole(cursors[NEXT].id, "passed to the writer");
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
    model_check_file();
}
