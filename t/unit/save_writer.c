
/*
 * save_writer.c: the writer of the log, as src/disk/ has it: a writer begins,
 * and then rounds and pieces of a base take turns.
 *
 * A round that fails may have left some of its lines; a writer that is killed
 * may have left all of them.  The next writer does not go on in such a segment.
 */


#include "save_model.h"


#define writer_off()                                                          \
    (!sh->conf.durable && sh->disk.says != NGX_HTTP_LONGPOLL_SAYS_NO)


/*
 * what the zone gives
 */


static void
writer_take(op_t *op, ngx_uint_t cursor)
{
    op->rc = ngx_http_longpoll_zone_disk_take(z, cursor, &model_memory);
    unit_must(op->rc != NGX_ERROR, "there is no memory");
}


static void
writer_losses(void)
{
    unit_must(ngx_http_longpoll_zone_disk_losses(z, &model_memory) == NGX_OK,
              "there is no memory");
}


static void
writer_head(ngx_http_longpoll_control_e kind, ngx_uint_t says)
{
    ngx_http_longpoll_zone_disk_head(z, &model_memory, kind, says);
}


static void
writer_collect(op_t *op)
{
    size_t                        len;
    ngx_uint_t                    head;
    ngx_http_longpoll_round_t    *round;
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &sh->disk;
    round = &m.report;

    round->says = -1;

    if (sh->conf.durable) {
        ngx_http_longpoll_zone_disk_durable(z);
    }

    head = writer_off() || !disk->begun;

    if (head || disk->file_size == 0) {
        round->says = disk->says == NGX_HTTP_LONGPOLL_SAYS_YES && !writer_off()
                      ? NGX_HTTP_LONGPOLL_SAYS_YES : NGX_HTTP_LONGPOLL_SAYS_NO;

        writer_head(NGX_HTTP_LONGPOLL_CONTROL_AFTER, round->says);
    }

    len = model_memory.len;
    round->notes = ngx_http_longpoll_zone_disk_notes(z, &model_memory);
    writer_take(op, NEXT);

    if (op->rc == NGX_OK && sh->conf.durable
        && disk->says != NGX_HTTP_LONGPOLL_SAYS_YES)
    {
        writer_losses();
        writer_head(NGX_HTTP_LONGPOLL_CONTROL_AFTER,
                    NGX_HTTP_LONGPOLL_SAYS_YES);
        round->says = NGX_HTTP_LONGPOLL_SAYS_YES;
    }

    if (model_memory.len == len && !head) {
        model_memory.len = 0;
        round->says = -1;
    }

    round->file_size = disk->file_size + model_memory.len;
}


static void
writer_piece(op_t *op)
{
    if (m.n_fresh == 0) {
        writer_head(NGX_HTTP_LONGPOLL_CONTROL_BASE, m.fresh_says);
    }

    writer_take(op, BASE);

    if (op->rc == NGX_OK) {
        writer_losses();
    }
}


/* the end of the log, with all that is lost */

static void
writer_end(void)
{
    ngx_http_longpoll_control_t  control;

    ngx_memzero(&control, sizeof(control));

    if (sh->disk.file_size == 0) {
        writer_head(NGX_HTTP_LONGPOLL_CONTROL_AFTER,
                    sh->disk.says == NGX_HTTP_LONGPOLL_SAYS_YES
                    ? NGX_HTTP_LONGPOLL_SAYS_YES : NGX_HTTP_LONGPOLL_SAYS_NO);
    }

    writer_losses();

    control.kind = NGX_HTTP_LONGPOLL_CONTROL_END;
    control.id = sh->clock.last_id;
    model_memory.len = ngx_http_longpoll_control_print(model_memory.data
                                                       + model_memory.len,
                                                       &control)
                       - model_memory.data;

    m.report.notes = sh->disk.notes_last;
    m.report.says = -1;
    m.report.file_size = sh->disk.file_size + model_memory.len;
}


static void
writer_merged(op_t *op)
{
    ngx_http_longpoll_loaded_t  loaded;

    ngx_memzero(&loaded, sizeof(loaded));
    loaded.now = op->now;
    loaded.last = op->last;
    loaded.believed = op->on;
    loaded.moved = op->must;
    loaded.head = 1;
    loaded.segment = sh->disk.segment + 3;
    loaded.after = loaded.segment;
    loaded.node = sh->disk.node + 1;
    loaded.valid_from = sh->previous.valid_from;

    op->rc = ngx_http_longpoll_zone_load_merged(z, &loaded);
}


void
writer_call(op_t *op)
{
    /* it is too small soon, so that it must grow */

    free(model_memory.data);
    ngx_memzero(&model_memory, sizeof(model_memory));
    unit_must(ngx_http_longpoll_zone_disk_lines(&model_memory, op->bytes / 2)
              == NGX_OK,
              "there is no memory");

    switch (op->kind) {

    case OP_BEGIN:
        ngx_http_longpoll_zone_disk_base_stop(z);
        ngx_http_longpoll_zone_disk_expose(z, 0, &op->wake);
        break;

    case OP_NEXT:
        ngx_http_longpoll_zone_disk_next_segment(z);
        break;

    case OP_COLLECT:
        writer_collect(op);
        break;

    case OP_SAVED:
        ngx_http_longpoll_zone_disk_saved(z, &m.report, &op->wake);
        break;

    case OP_UNSAVED:
        if (m.writing && sh->disk.file_size) {
            ngx_http_longpoll_zone_disk_next_segment(z);
        }

        ngx_http_longpoll_zone_disk_failed(z, &op->wake);
        break;

    case OP_RETRY:
        /* the round is given up: the next one begins where it began */
        break;

    case OP_LOST:
        ngx_http_longpoll_zone_disk_base_stop(z);
        ngx_http_longpoll_put(sh->disk.lost, 1);
        break;

    case OP_BASE:
        if (sh->disk.lost && sh->conf.durable) {
            ngx_http_longpoll_zone_disk_durable(z);
        }

        ngx_http_longpoll_zone_disk_base_begin(z);
        break;

    case OP_STOP:
        ngx_http_longpoll_zone_disk_base_stop(z);
        break;

    case OP_PIECE:
        writer_piece(op);
        break;

    case OP_BASED:
        ngx_http_longpoll_zone_disk_based(z, sh->disk.node + 1, m.fresh_says,
                                          &op->wake);
        break;

    case OP_END:
        op->rc = ngx_http_longpoll_zone_disk_end(z);
        break;

    case OP_LOAD:
        op->msgs[0].id = op->last;
        op->rc = ngx_http_longpoll_zone_load(z, op->cats, op->msgs,
                                             op->name ? op->key : NULL,
                                             op->now, &op->wake);
        break;

    case OP_MERGED:
        writer_merged(op);
        break;

    default: /* OP_DURABLE */
        if (op->on) {
            ngx_http_longpoll_zone_disk_durable(z);

        } else {
            ngx_http_longpoll_zone_disk_expose(z, 1, &op->wake);
        }
    }
}


/*
 * lines
 */


static void
writer_control(model_line_t *line, u_char *p, size_t len)
{
    ngx_http_longpoll_control_t  c;

    static const line_e  kinds[] = {
        LINE_HEAD, LINE_HEAD, LINE_GONE, LINE_DROP, LINE_REST, LINE_END
    };

    unit_must(ngx_http_longpoll_control_parse(&c, p, len) == NGX_OK,
              "a wrong line: %.*s", (int) len, p);

    line->kind = kinds[c.kind];

    switch (line->kind) {

    case LINE_HEAD:
        unit_must(c.key[0] == sh->key[0] && c.key[1] == sh->key[1]
                  && c.id <= sh->clock.last_id,
                  "a wrong head: %.*s", (int) len, p);
        line->id = c.epoch;
        line->word[0] = c.number;
        line->word[1] = c.durable;
        line->word[2] = c.valid_from;
        break;

    case LINE_GONE:
        line->word[0] = c.uuid.high;
        line->word[1] = c.uuid.low;
        break;

    case LINE_DROP:
        line->word[0] = c.name;
        line->word[1] = c.upto;
        line->word[2] = c.lost;
        break;

    default:
        line->id = c.id;
    }
}


/*
 * The lines are what the zone has behind a cursor, to the byte, and whatever
 * control lines.
 */

static void
writer_parse(op_t *op, uint64_t after, uint64_t upto, ngx_uint_t fresh)
{
    size_t         n;
    u_char        *p, *last, *end;
    ngx_uint_t     i;
    model_line_t   line;

    static u_char  right[70000];

    p = model_memory.data;
    last = p + model_memory.len;
    i = model_index(after + 1);

    for ( /* void */ ; p < last; p = end) {
        end = memchr(p, LF, last - p);
        unit_must(end, "a line has no end");
        end++;

        ngx_memzero(&line, sizeof(line));
        line.segment = fresh ? 0 : sh->disk.segment;
        line.len = end - p;

        if (*p == '#') {
            writer_control(&line, p, end - p - 1);

        } else {
            for ( /* void */ ; i < m.n_msgs && !m.msgs[i].live; i++) ;

            unit_must(i < m.n_msgs && m.msgs[i].id <= upto,
                      "a line too many: %.*s", (int) ngx_min(end - p, 200), p);

            n = model_line(right, &m.msgs[i]);
            unit_must(n == line.len && memcmp(p, right, n) == 0,
                      "a wrong line: %.*s, not %.*s",
                      (int) ngx_min(end - p, 200), p, (int) ngx_min(n, 200),
                      right);

            line.kind = LINE_EVENT;
            line.id = m.msgs[i++].id;
        }

        if (fresh) {
            model_push(fresh, line);

        } else {
            model_push(round, line);
        }
    }

    for ( /* void */ ; i < m.n_msgs && !m.msgs[i].live; i++) ;

    unit_must(i == m.n_msgs || m.msgs[i].id > upto || op->rc == NGX_AGAIN,
              "the writer does not get a message");
}


/* so many lines of the round come to the segment, which may be made anew */

static void
writer_append(ngx_uint_t n)
{
    ngx_uint_t  i;

    if (sh->disk.file_size == 0 && m.n_round) {
        model_remove(m.round[0].segment);
    }

    for (i = 0; i < n; i++) {
        model_push(lines, m.round[i]);
    }
}


static void
writer_rename(void)
{
    ngx_uint_t  i, n;

    m.base = sh->disk.base_number;
    m.damaged = 0;

    if (sh->disk.file_size == 0) {
        model_remove(sh->disk.segment);
    }

    for (i = 0, n = 0; i < m.n_lines; i++) {
        if (m.lines[i].segment > m.base) {
            m.lines[n++] = m.lines[i];
        }
    }

    m.n_lines = n;

    for (i = 0; i < m.n_fresh; i++) {
        model_push(lines, m.fresh[i]);
    }
}


/* what is on disk before the zone is told */

void
writer_before(op_t *op)
{
    switch (op->kind) {

    case OP_BEGIN:
        m.rebasing = 0;
        m.writing = 0;
        m.n_round = 0;
        break;

    case OP_SAVED:
        writer_append(m.n_round);
        break;

    case OP_UNSAVED:
        if (m.writing) {
            writer_append(unit_below(m.n_round + 1));
        }

        break;

    case OP_BASED:
        writer_rename();
        break;

    case OP_LOST:
        m.damaged = 1;
        break;

    case OP_LOAD:
    case OP_MERGED:
        m.n_lines = 0;
        m.base = 0;
        m.damaged = 1;
        break;

    default:
        break;
    }
}


void
writer_died(op_t *op)
{
    if (m.writing && op->kind != OP_COLLECT && op->kind != OP_SAVED
        && op->kind != OP_UNSAVED && unit_once(2))
    {
        writer_append(m.n_round);
    }

    m.ready = 0;
    m.writing = 0;
    m.rebasing = 0;
    m.n_round = 0;
    m.n_fresh = 0;
}


static void
writer_begun_base(void)
{
    m.rebasing = 1;
    m.complete = 0;
    m.n_fresh = 0;
    m.fresh_says = sh->conf.durable && sh->disk.durable
                   && (sh->disk.says == NGX_HTTP_LONGPOLL_SAYS_YES
                       || sh->disk.lost)
                   ? NGX_HTTP_LONGPOLL_SAYS_YES : NGX_HTTP_LONGPOLL_SAYS_NO;
}


void
writer_done(op_t *op)
{
    switch (op->kind) {

    case OP_BEGIN:
        m.ready = 1;
        break;

    case OP_COLLECT:
        m.n_round = 0;
        writer_parse(op, op->saved, op->committed, 0);
        m.writing = m.n_round || cursors[NEXT].id != cursors[SAVED].id;
        break;

    case OP_END:
        if (op->rc == NGX_OK) {
            writer_end();
            m.n_round = 0;
            writer_parse(op, op->committed, op->committed, 0);
            m.writing = 1;
        }

        break;

    case OP_SAVED:
    case OP_UNSAVED:
    case OP_RETRY:
        m.writing = 0;
        m.n_round = 0;
        break;

    case OP_BASE:
        writer_begun_base();
        break;

    case OP_PIECE:
        writer_parse(op, op->base, op->base_upto, 1);
        m.complete = (op->rc == NGX_OK);
        break;

    case OP_LOST:
    case OP_STOP:
    case OP_BASED:
        m.rebasing = 0;
        m.n_fresh = 0;
        break;

    default:
        break;
    }
}


/*
 * what the writer does next
 */


static op_e
writer_next_out(void)
{
    if (unit_once(6)) {

        /* it cannot open the files */

        if (sh->conf.durable || sh->disk.says != NGX_HTTP_LONGPOLL_SAYS_NO) {
            return OP_UNSAVED;
        }

        return OP_DURABLE;
    }

    if (sh->disk.file_size
        && model_bytes_of(sh->disk.segment) != sh->disk.file_size)
    {
        return m.damaged ? OP_LOST : OP_NEXT;
    }

    return OP_BEGIN;
}


static op_e
writer_next_round(void)
{
    ngx_uint_t  n;

    n = unit_below(16);

    if (n > 3) {
        return OP_SAVED;
    }

    /* nobody waits for the end of the log */

    if (m.n_round && m.round[m.n_round - 1].kind == LINE_END) {
        return OP_BEGIN;
    }

    if (n == 0) {
        return OP_RETRY;
    }

    /* it is killed without a word, and another one begins */

    return n == 1 ? OP_BEGIN : OP_UNSAVED;
}


static op_e
writer_next(void)
{
    ngx_uint_t  wanted;

    wanted = sh->disk.lost
             || sh->disk.stale
             || m.n_lines > 4000;

    if (!m.rebasing && (wanted || unit_once(30))) {
        return sh->disk.lost && unit_once(10) ? OP_UNSAVED : OP_BASE;
    }

    if (m.rebasing && (sh->disk.lost || unit_once(2))) {
        return unit_once(20) ? OP_STOP : m.complete ? OP_BASED : OP_PIECE;
    }

    if (unit_once(200) && m.n_lines) {
        model_remove(m.lines[unit_below(m.n_lines)].segment);
        return OP_LOST;
    }

    /* a worker is still there that will take a publish */

    if (unit_once(60) && !m.rebasing && !m.damaged && !sh->disk.lost) {
        return OP_END;
    }

    if (unit_once(10) && sh->conf.durable != sh->disk.durable
        && (sh->conf.durable || (sh->disk.begun
                                 && sh->disk.says
                                    == NGX_HTTP_LONGPOLL_SAYS_NO)))
    {
        act_op.on = sh->conf.durable;

        return OP_DURABLE;
    }

    return OP_COLLECT;
}


/*
 * The other nginx has ended, or let go.  What it wrote comes at its own place,
 * if that is ahead.
 */

static void
act_merge(void)
{
    ngx_uint_t  n;

    if (!sh->disk.contested) {
        sh->disk.contested = 1;
        m.other = (unit_random() & NGX_HTTP_LONGPOLL_EPOCH_MASK) | 1;
        m.followed = 1;
    }

    if (unit_once(2)) {
        return;
    }

    act_op.last = ngx_max(sh->clock.last_id, sh->disk.read_upto) + 1;
    act_op.last -= unit_once(2) ? unit_below(1 << 20) : 0;
    act_op.last += unit_below(1 << 20);

    for (n = unit_below(4); n; n--) {
        act_op.last += 1 + unit_below(1 << 18);

        if (act_op.last <= sh->disk.read_upto) {
            continue;
        }

        act_set(OP_LOAD);
        act_foreign(m.other);

        if (!op_run(&act_op)) {
            return;
        }
    }

    act_set(OP_MERGED);
    act_op.on = !unit_once(4);
    act_op.must = !m.followed;
    (void) op_run(&act_op);
}


void
act_writer(void)
{
    op_e  kind;

    if (!m.ready && (sh->disk.contested || unit_once(10))) {
        act_merge();
        return;
    }

    kind = m.writing ? writer_next_round()
                     : m.ready ? writer_next() : writer_next_out();

    if (kind == OP_BEGIN && m.writing) {
        writer_died(&act_op);

        if (sh->disk.file_size
            && model_bytes_of(sh->disk.segment) != sh->disk.file_size)
        {
            kind = OP_NEXT;
        }
    }

    act_op.kind = kind;
    act_op.bytes = unit_once(3) ? 100 + unit_below(1000) : 20000;

    (void) op_run(&act_op);
}
