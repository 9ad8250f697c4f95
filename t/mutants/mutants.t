# Can the tests fail?  Each mutant is the module with one mistake; the part of
# the tests that the mutant names must fail with it, and pass without it.
#
#     T='wake-up journal'     only mutants whose name has one of these words
#     mutants.t check         only whether each applies, for `make check`
#
# Mutants are built in a copy, build/mutants/tree.  A mutant that no longer
# applies to the sources, or does not compile, is a failure.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Path qw( make_path );
use Time::HiRes qw( time );

$| = 1;

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../..');
my $tree = "$root/build/mutants/tree";
my $limit = 900;                    # seconds for one run of a part

my @mutants = (
    { name => 'a wake-up dropped',
      file => 'publish.c',
      from => 'ngx_http_longpoll_notify_wake(wake);', to => ';',
      seen => 'plain t/040-wait.t' },

    { name => 'a surrogate alone stored as it came',
      file => 'json.c',
      from => 'ngx_http_longpoll_string_lone(escape, p + data->len)',
      to => 'NULL',
      seen => 'plain t/022-data.t' },

    { name => 'a poll that does not end the pause of a reader',
      file => 'interest.c',
      from => 'if (z->cluster && n > 0)', to => 'if (0)',
      seen => 'redis t/redis/pause.t' },

    { name => 'a publish that does not end the pause of a reader',
      file => 'relay.c',
      from => "ngx_http_longpoll_zone_feed_resume(relay->zone,\n"
          . "                                           NGX_HTTP_LONGPOLL_ZONE_FEED_IDLE)",
      to => '0',
      seen => 'redis t/redis/pause.t' },

    { name => 'a feed clock counts at once',
      file => 'zone_feed.c',
      from => 'if (elapsed >= feed->since + NGX_HTTP_LONGPOLL_ZONE_FEED_SETTLE)',
      to => 'if (1)',
      seen => 'unit feed' },

    { name => 'a feed clock counts at once behind a silence',
      file => 'zone_feed.c',
      from => 'ngx_http_longpoll_put(feed->timed, 0);', to => '',
      seen => 'unit feed' },

    { name => 'a feed clock counts at once in a new epoch',
      file => 'zone_feed.c',
      from => 'ngx_http_longpoll_put(z->sh->feed.since, 0);', to => '',
      seen => 'unit feed' },

    { name => 'a kill that takes the last difference from the feed clock',
      file => 'zone_feed.c',
      from => "        ngx_http_longpoll_put(feed->period, period);\n"
          . "        ngx_http_longpoll_put(feed->latest, 0);\n",
      to => "        ngx_http_longpoll_put(feed->latest, 0);\n"
          . "        ngx_http_longpoll_put(feed->period, period);\n",
      seen => 'unit feed' },

    { name => 'a zone without a number that takes any entry of another stream',
      file => 'apply.c',
      from => 'return apply->at.number == 0', to => 'return 0',
      seen => 'unit reader' },

    { name => 'a reader that keeps the number of an epoch whose end was trimmed',
      file => 'feed.c',
      from => 'feed->apply.at.number = 0;', to => '',
      seen => 'unit reader' },

    { name => 'a number that follows, while an epoch has begun unread',
      file => 'zone_feed.c',
      from => '&& feed->begins[i] < entry->id)', to => '&& 0)',
      seen => 'unit feed' },

    { name => 'a reader that pauses looks only once who waits',
      file => 'zone_feed.c',
      from => 'if (ngx_http_longpoll_zone_feed_may_pause(z, gather) != pause)',
      to => 'if (0)',
      seen => 'unit feed' },

    { name => 'a poll of a dead worker that the zone does not know',
      file => 'zone_tick.c',
      from => "worker */\n\n        ngx_http_longpoll_put(w->waiting, 0);",
      to => "worker */\n",
      seen => 'unit feed' },

    { name => 'a reader that pauses is woken, and does not look',
      file => 'feed.c',
      from => '&& !ngx_http_longpoll_zone_feed_is_paused(z))', to => '&& 0)',
      seen => 'unit reader' },

    { name => 'a crowd of publishers for which the reader lets entries gather',
      file => 'relay.c',
      from => 'if (wake)', to => 'if (0)',
      seen => 'redis t/redis/pause.t' },

    { name => 'a reader that gathers looks at publishers that have their events',
      file => 'zone_feed.c',
      from => '&& !ngx_http_longpoll_zone_feed_reached(z, worker->stored))',
      to => ')',
      seen => 'unit feed' },

    { name => 'a reader that gathers is woken by a few publishers',
      file => 'zone_feed.c',
      from => "sh = &z->sh->workers[worker];\n\n    if (!ngx_http_longpoll_zone_feed_is_crowd(sh))",
      to => "sh = &z->sh->workers[worker];\n\n    if (0)",
      seen => 'unit feed' },

    { name => 'a reader that pauses trims nothing',
      file => 'feed.c',
      from => '|| feed->state == NGX_HTTP_LONGPOLL_FEED_PAUSED)',
      to => ')',
      seen => 'unit reader' },

    { name => 'data that is a string whose UTF-8 is not looked at',
      file => 'json.c',
      from => '&& ngx_http_longpoll_utf8_scan(p, last - p, &control)',
      to => '&& (control = 0, 1)',
      seen => 'unit text' },

    { name => 'data that begins and ends with a quote is one string',
      file => 'json.c',
      from => '&& memchr(p + 1, \'"\', last - p - 1) == last - 1', to => '',
      seen => 'unit text' },

    { name => 'data that is a string with a control character',
      file => 'json.c',
      from => "\n           && !control;", to => ';',
      seen => 'unit text' },

    { name => 'the limit of numbers one digit off',
      file => 'number.c',
      from => 'return *p < *limit;', to => 'return *p <= *limit + 1;',
      seen => 'unit text' },

    { name => 'a text with < and > as they came',
      file => 'escape.c',
      from => "& ~('>' ^ '\\\\')) == ('>' & '\\\\')",
      to => "& ~('>' ^ '\\\\')) == '\\\\'",
      seen => 'unit text' },

    { name => 'a text whose last of 64 bytes are not looked at',
      file => 'escape.c',
      from => 'ngx_http_longpoll_bytes_each(w & x & y & z)',
      to => 'ngx_http_longpoll_bytes_each(w & x & y)',
      seen => 'unit text' },

    { name => 'a text with a vertical tab taken for one with a short escape',
      file => 'escape.c',
      from => "(v != '\\v')", to => "(v != '\\a')",
      seen => 'unit text' },

    { name => 'a text that is not UTF-8 behind 64 bytes',
      file => 'escape.c',
      from => 'ngx_http_longpoll_escape_chars(p, p + 64, last, &more, valid)',
      to => 'p + 64',
      seen => 'unit text' },

    { name => 'the mark of the first slot of a word not looked at',
      file => 'zone_watch.c',
      from => '(*fresh + 4095) / 4096', to => '(*fresh + 4094) / 4096',
      seen => 'unit store' },

    { name => 'the marks of slots that nobody has used looked at',
      file => 'zone_watch.c',
      from => 'last = (*fresh + 4095) / 4096;',
      to => 'last = *fresh ? z->sums : 0;',
      seen => 'unit store' },

    { name => 'a log that never turns',
      file => 'log.c', from => 'if (used >= end', to => 'if (end || used',
      seen => 'unit store' },

    { name => 'a log that forgets that it has turned',
      file => 'log.c',
      from => 'ngx_http_longpoll_put(sh->turned, head);', to => '',
      seen => 'unit store' },

    { name => 'a log that turns where what is published has no room then',
      file => 'log.c',
      from => 'ngx_http_longpoll_log_slack(log) + n)',
      to => 'ngx_http_longpoll_log_slack(log))',
      seen => 'unit store' },

    { name => 'a log that moves as much as is published, though room is not short',
      file => 'log.c', from => 'credit = n / 8;', to => 'credit = n;',
      seen => 'unit store' },

    { name => 'a log that never turns back',
      file => 'log.c', from => 'gap < ngx_max(sh->live / 8, n)', to => '0',
      seen => 'unit store' },

    { name => 'a poll parked for a category without a slot as if it had one',
      file => 'interest.h',
      from => '!(cat)->slotless', to => '1',
      seen => 'plain t/050-zone.t' },

    { name => 'a wake-up dropped, of other workers only',
      file => 'notify.c',
      from => 'if (__sync_lock_test_and_set(', to => 'if (0 && __sync_lock_test_and_set(',
      seen => 'plain t/060-workers.t' },

    { name => 'the flag of a wake-up not cleared',
      file => 'notify.c',
      from => '.notified, 0);', to => '.notified, 1);',
      seen => 'plain t/060-workers.t' },

    { name => 'an eventfd that is read all the same',
      file => 'notify.c',
      from => '!(ngx_event_flags & NGX_USE_CLEAR_EVENT)', to => '1',
      seen => 'plain t/060-workers.t' },

    { name => 'an eventfd that epoll does not know',
      file => 'notify.c',
      from => 'ngx_handle_read_event(c->read, 0)', to => 'NGX_OK',
      seen => 'plain t/060-workers.t' },

    { name => 'no interest registered with the read',
      file => 'zone_read.c',
      from => 'rd->slots[i] = ngx_http_longpoll_zone_watch(z, rd->worker,',
      to => 'rd->slots[i] = 1 ? NGX_HTTP_LONGPOLL_CAT_NONE : ngx_http_longpoll_zone_watch(z, rd->worker,',
      seen => 'plain t/040-wait.t' },

    { name => 'a dead worker is still present',
      file => 'zone_tick.c',
      from => 'ngx_http_longpoll_zone_presence_reap(z, worker, now);', to => ';',
      seen => 'plain t/078-presence.t' },

    { name => 'a stream that is not read has left',
      file => 'announce.c',
      from => 'return ngx_http_longpoll_announce_find(z, hash) != NULL;',
      to => 'return 0;',
      seen => 'plain t/078-presence.t' },

    { name => 'an entry that changes its queue by plain stores',
      file => 'presence.c',
      from => '    ngx_http_longpoll_set(table->journal, unit->u.entry.older, 0);',
      to => '',
      seen => 'unit presence' },

    { name => 'a category leaves with the first of its workers',
      file => 'presence.c',
      from => 'unit->u.entry.workers & ~workers);', to => '0);',
      seen => 'unit presence' },

    { name => 'who waits in old workers leaves when the zone changes its size',
      file => 'zone_presence.c',
      from => 'presence->back && now >= presence->back', to => 'presence->back',
      seen => 'unit presence' },

    { name => 'who left with an old worker is present for ever',
      file => 'zone_presence.c',
      from => 'presence->back && now >= presence->back', to => '0',
      seen => 'unit presence' },

    { name => 'with a dead worker only the first of its categories have left',
      file => 'zone_presence.c',
      from => '        more = n < z->present.sh->fresh && !z->sh->moved;',
      to => '        more = 0;',
      seen => 'plain t/078-presence.t' },

    { name => 'a refused flight counts as reported',
      file => 'zone_presence.c',
      from => "    if (rc != NGX_OK) {\n        ngx_http_longpoll_put(presence->flying, 0);",
      to => "    if (0) {\n        ngx_http_longpoll_put(presence->flying, 0);",
      seen => 'unit presence' },

    { name => 'a list that goes past what a late worker can name',
      file => 'list.c',
      from => 'return (z->workers & page->late)', to => 'return 0',
      seen => 'plain t/074-status-list.t' },

    { name => 'a list that goes on while a late worker has polls without a slot',
      file => 'list.c',
      from => 'if (ngx_http_longpoll_zone_slotless(list->zone) & page->late) {',
      to => 'if (0) {',
      seen => 'plain t/074-status-list.t' },

    { name => 'a reply that nobody has asked for is passed over',
      file => 'redis.c',
      from => 'if (command == NULL || ngx_buf_size(&command->buf)) {',
      to => "if (command == NULL) {\n        return NGX_OK;\n    }\n\n    if (ngx_buf_size(&command->buf)) {",
      seen => 'redis t/redis/connection.t' },

    { name => 'a list of texts without their lengths',
      file => 'hash.c',
      from => 'if (texts->len >= 8) {', to => 'if (0 && texts->len >= 8) {',
      seen => 'unit text' },

    { name => 'a long text whose length is not in the word for it',
      file => 'hash.c',
      from => '| texts->len,', to => '| 8,',
      seen => 'unit text' },

    { name => 'an id of Redis with more digits than a number has',
      file => 'entry.c',
      from => 'text->len > NGX_HTTP_LONGPOLL_ENTRY_DIGITS', to => '0',
      seen => 'unit text' },

    { name => 'an array of Redis that is larger than its bytes',
      file => 'reply.c',
      from => 'if ((size_t) nelts > replies->limit', to => 'if (0 && (size_t) nelts > replies->limit',
      seen => 'unit text' },

    { name => 'a large command in the memory of a small one',
      file => 'redis.c',
      from => 'if (size > NGX_HTTP_LONGPOLL_REDIS_SPARE', to => 'if (0',
      seen => 'redis t/redis/cluster.t' },

    { name => 'publishes in flight without a bound',
      file => 'relay.c',
      from => 'relay->nops >= NGX_HTTP_LONGPOLL_RELAY_OPS', to => '0',
      seen => 'redis t/redis/connection.t' },

    { name => 'a publish answered with the epoch that the zone knows',
      file => 'relay.c',
      from => 'return relay->lives[i].epoch;', to => 'return 0;',
      seen => 'redis t/redis/faults.t' },

    { name => 'the id of an earlier publish in the newest epoch',
      file => 'relay.c',
      from => 'relay->lives[i].begin <= id', to => '1',
      seen => 'redis t/redis/faults.t' },

    { name => "a stranger's entry read without a look at the list of epochs",
      file => 'apply.c',
      from => 'return apply->first;', to => 'return 0;',
      seen => 'unit reader' },

    { name => 'a zone that is not synced while a stranger writes',
      file => 'feed.c',
      from => 'feed->look = 0;', to => 'feed->look = feed->caught_up = 0;',
      seen => 'unit reader' },

    { name => 'a refused beat that makes no reader look',
      file => 'feed.c',
      from => 'feed->look = 1;', to => '',
      seen => 'unit reader' },

    { name => 'a reader that looks behind each read, once a beat was refused',
      file => 'feed.c',
      from => "    feed->look = 0;\n", to => '',
      seen => 'unit reader' },

    { name => 'looks counted on behind a read without an entry',
      file => 'feed.c',
      from => "        feed->apply.asks = 0;\n", to => '',
      seen => 'unit reader' },

    { name => 'a reader that has looked eight times, and never looks again',
      file => 'apply.c',
      from => "    apply->asks = 0;\n", to => '',
      seen => 'unit reader' },

    { name => 'a stranger who writes all the time, so that no node beats',
      file => 'feed.c',
      from => 'if (feed->apply.taken) {
        ngx_http_longpoll_upkeep_read', to => 'if (1) {
        ngx_http_longpoll_upkeep_read',
      seen => 'unit reader' },

    { name => 'an entry that was deleted is a lost end',
      file => 'apply.c',
      from => 'apply_compare(&deleted, at) >= 0', to => 'apply_compare(&deleted, at) > 5',
      seen => 'unit reader' },

    { name => "each of a stranger's entries read twice",
      file => 'apply.c',
      from => 'return apply->first;', to => 'return 1;',
      seen => 'unit reader' },

    { name => 'a certificate for another host is good',
      file => 'tls.c',
      from => 'return match == 1 ? NULL', to => 'return match != 2 ? NULL',
      seen => 'redis t/redis/connection.t' },

    { name => 'a publish over Redis without its key',
      file => 'publish.c',
      from => "pub->key,\n                                      ngx_http_longpoll_publish_relayed",
      to => "NULL,\n                                      ngx_http_longpoll_publish_relayed",
      seen => 'redis t/redis/cluster.t' },

    { name => "a key that only the node's own zone has, not found",
      file => 'publish.c',
      from => 'pub->key ? &key : NULL', to => '0 ? &key : NULL',
      seen => 'redis t/redis/cluster.t' },

    { name => 'a publish answered before its node has the event',
      file => 'zone_feed.h',
      from => '(ngx_http_longpoll_zone_feed_visible(z) >= (id))',
      to => '(ngx_http_longpoll_zone_feed_visible(z) >= (id) || 1)',
      seen => 'redis t/redis/cluster.t' },

    { name => 'a Redis that was restarted is taken for the same',
      file => 'lives.c',
      from => 'return same || ', to => 'return 1 || ',
      seen => 'redis t/redis/faults.t' },

    { name => "a Redis's first replica begins an epoch",
      file => 'link.c',
      from => 'info.unpromoted ? &none : &info.replid', to => '0 ? &none : &info.replid',
      seen => 'redis t/redis/refusing.t' },

    { name => 'a Redis that forgets its promotion begins an epoch',
      file => 'lives.c',
      from => "run->data[len] == '0'", to => '0',
      seen => 'redis t/redis/connection.t' },

    { name => 'a Sentinel that names no master is asked again and again',
      file => 'link.c',
      from => 'link->sentinel.next++;', to => ';',
      seen => 'redis t/redis/sentinels.t' },

    { name => 'publishes wait for Redis though the reader is connected',
      file => 'relay.c',
      from => 'pause = ngx_min(pause, NGX_HTTP_LONGPOLL_RELAY_PAUSE);',
      to => ';',
      seen => 'redis t/redis/connection.t' },

    { name => 'of many addresses of a Redis the first alone is tried',
      file => 'resolve.c',
      from => 'resolve->next++ % server->naddrs', to => '0',
      seen => 'unit reader' },

    { name => 'a connection that is older than the epoch stays',
      file => 'relay.c',
      from => 'ngx_http_longpoll_link_inform(&relay->link, 0);', to => ';',
      seen => 'redis t/redis/connection.t' },

    # `lost` is always 0 here: the last branch only keeps feed_place() in use

    { name => 'a connection to Redis does not look whether the end is there',
      file => 'feed.c',
      from => "    } else {\n        ngx_http_longpoll_feed_place(feed);",
      to => "    } else if (!feed->lost) {\n        ngx_http_longpoll_feed_read(feed);\n"
          . "    } else {\n        ngx_http_longpoll_feed_place(feed);",
      seen => 'redis t/redis/lost.t' },

    { name => 'a cursor of another epoch is answered like any',
      file => 'zone_epoch.h',
      from => '((cursor)->epoch && (cursor)->epoch != (z)->sh->epoch)',
      to => '((cursor)->epoch && 0)',
      seen => 'unit feed' },

    { name => 'what was trimmed unread is not noticed',
      file => 'zone_feed.c',
      from => "return entry->at.number == next\n",
      to => "return 1 || entry->at.number == next\n",
      seen => 'redis t/redis/faults.t' },

    { name => 'an unlock missed',
      file => 'zone_publish.c',
      from => "        ngx_http_longpoll_zone_unlock(z);\n\n        if (rc != NGX_BUSY) {",
      to => "        if (rc != NGX_DONE) {\n            ngx_http_longpoll_zone_unlock(z);\n        }\n\n        if (rc != NGX_BUSY) {",
      seen => 'unit save' },

    { name => 'an off-by-one at the wrap',
      file => 'log.c',
      from => 'gap >= n : gap >= end + n;', to => 'gap >= n : gap > end;',
      seen => 'unit store' },

    { name => 'a journal entry left out',
      file => 'log.c',
      from => "    log->move(log->data, rec, ngx_http_longpoll_log_ref(log, to));\n"
              . "    ngx_http_longpoll_set(log->journal, log->sh->tail, log->sh->tail + n);",
      to => "    log->move(log->data, rec, ngx_http_longpoll_log_ref(log, to));\n"
            . "    ngx_http_longpoll_put(log->sh->tail, log->sh->tail + n);",
      seen => 'unit store' },

    { name => 'a tail moved too far',
      file => 'log.c',
      from => 'ngx_http_longpoll_put(sh->tail, sh->tail + n);',
      to => 'ngx_http_longpoll_put(sh->tail, ngx_min(sh->tail + 2 * n, sh->head));',
      seen => 'unit store' },

    { name => 'a publish committed before it is whole',
      file => 'zone_publish.c',
      from => "        ngx_http_longpoll_zone_append_msg(z, pub, i, 0);\n",
      to => "        ngx_http_longpoll_zone_append_msg(z, pub, i, 0);\n"
            . "        ngx_http_longpoll_put(sh->clock.committed, sh->clock.last_id);\n",
      seen => 'unit store' },

    { name => 'a time-out left in the queue without its poll',
      file => 'wait.c',
      from => "    ngx_http_longpoll_wait_quit(w);\n    w->wait->parked--;",
      to => "    w->wait->parked--;",
      seen => 'asan t/040-wait.t' },

    { name => 'a stream read for though its client does not read',
      file => 'stream.c',
      from => 'ngx_http_longpoll_wait_hold(&stream->waiter);
    }

    return NGX_AGAIN;', to => ';
    }

    return NGX_AGAIN;',
      seen => 'plain t/036-stream-socket.t' },

    { name => 'the answers of streams not counted as unsent',
      file => 'stream.c',
      from => "    if (stream->bytes\n        && ngx_http_longpoll_unsent_enter(",
      to => "    if (0\n        && ngx_http_longpoll_unsent_enter(",
      seen => 'plain t/036-stream-socket.t' },

    { name => 'the events of a stream not flushed',
      file => 'stream.c',
      from => 'stream->events.flush = 1;', to => 'stream->events.flush = 0;',
      seen => 'plain t/036-stream-socket.t' },

    { name => 'the events of a stream marked as the last of the answer',
      file => 'stream.c',
      from => 'stream->events.flush = 1;',
      to => "stream->events.flush = 1;\n    stream->events.last_in_chain = 1;",
      seen => 'plain t/039-stream-filter.t' },

    { name => "a stream that waits for subs_filter's mark to go",
      file => 'stream.c',
      from => 'buffered &= ~NGX_HTTP_SUB_BUFFERED;', to => ';',
      seen => 'plain t/039-stream-filter.t' },

    { name => 'the events of a stream sent past a filter that changes them',
      file => 'direct.c',
      from => '&& r->ctx[module->ctx_index]', to => '&& 0',
      seen => 'plain t/036-stream-socket.t' },

    { name => 'the events of a stream sent past a filter that keeps nothing',
      file => 'direct.c',
      from => 'ctx->postconfiguration == NULL', to => 'ctx != NULL',
      seen => 'plain t/039-stream-filter.t' },

    { name => 'the rest of a chunk that was not all taken sent from its start',
      file => 'direct.c',
      from => 'b->pos += n;', to => ';',
      seen => 'plain t/036-stream-socket.t' },

    { name => 'limit_rate left out for the events of a stream',
      file => 'direct.c',
      from => '&& r->limit_rate == 0', to => '',
      seen => 'plain t/036-stream-socket.t' },

    { name => 'a stream woken once more in its first category alone',
      file => 'wait.c',
      from => 'if (link->cat->ready) {', to => 'if (i == 0) {',
      seen => 'plain t/034-stream.t' },

    { name => 'a stream told missed again after it was',
      file => 'cursor.c',
      from => 'cursor->beginning = (warned && id < earlier);',
      to => 'cursor->beginning = 0 * (warned && id < earlier);',
      seen => 'persist t/persist/restart.t' },

    { name => 'a heartbeat of a stream though events were sent',
      file => 'stream.c',
      from => 'ngx_http_longpoll_wait_renew(&stream->waiter,',
      to => 'if (last != stream->text) ngx_http_longpoll_wait_renew(&stream->waiter,',
      seen => 'plain t/034-stream.t' },

    { name => "a stream's answer with all of a ms",
      file => 'zone_reader.c',
      from => 'if (rd->by_id) {', to => 'if (0) {',
      seen => 'unit store' },

    { name => 'a last_id beside an earlier time as the first place of a stream',
      file => 'stream.c',
      from => '&& ngx_http_longpoll_id_ms(id) == ngx_http_longpoll_id_ms(asked->id);',
      to => ';',
      seen => 'plain t/034-stream.t' },

    { name => 'a stream that is being read cut off early by the drain',
      file => 'drain.c',
      from => 'if (elapsed >= ngx_http_longpoll_drain_time) {',
      to => 'if (target == 0) {',
      seen => 'plain t/038-stream-workers.t' },

    { name => 'a stream that has its answer whole cut off by the drain',
      file => 'stream.c',
      from => "        if (!stream->busy) {\n            ngx_http_longpoll_stream_end",
      to => "        if (0) {\n            ngx_http_longpoll_stream_end",
      seen => 'plain t/038-stream-workers.t' },

    { name => 'the end of a stream put off by each event',
      file => 'stream.c',
      from => "            return 1;\n        }\n\n        if (left < (ngx_msec_int_t) msec) {",
      to => "            return 1000;\n        }\n\n        if (left < (ngx_msec_int_t) msec) {",
      seen => 'plain t/034-stream.t' },

    { name => 'a body behind a head without one',
      file => 'stream.c',
      from => 'if (sent != NGX_OK || r->header_only) {',
      to => 'if (sent != NGX_OK) {',
      seen => 'plain t/039-stream-filter.t' },

    { name => 'the end of a stream put off in a leaving worker',
      file => 'stream.c',
      from => "    if (sent == NGX_OK && (rc == NGX_ABORT\n                           || ngx_http_longpoll_stream_is_over(stream)))",
      to => "    if (sent == NGX_OK && rc == NGX_ABORT)",
      seen => 'plain t/038-stream-workers.t' },

    { name => 'a CR left in a frame of a stream',
      file => 'sse.c',
      from => "*line++ = ' ';", to => 'line++;',
      seen => 'unit text' },

    { name => 'a query that was read in another location',
      file => 'query.c',
      from => 'cache->owner != owner || ', to => '',
      seen => 'plain t/030-subscribe.t' },

    { name => 'a poll not unlinked from its category',
      file => 'wait.c',
      from => "    ngx_queue_remove(&link->queue);\n    cat->polls--;",
      to => "    cat->polls--;",
      seen => 'asan t/040-wait.t' },

    { name => 'the slice of a fan-out not continued',
      file => 'wait.c',
      from => 'ngx_post_event(ev, &ngx_posted_next_events);', to => ';',
      seen => 'plain t/060-workers.t' },

    { name => 'shared bytes released once too often',
      file => 'deliver.c',
      from => "    answer->bytes = reading->bytes;\n    answer->zone = ctx->zone;",
      to => "    answer->bytes = reading->bytes;\n    answer->bytes->refs--;\n    answer->zone = ctx->zone;",
      seen => 'asan t/040-wait.t' },

    { name => 'the polls of a dead worker still counted',
      file => 'zone_tick.c',
      from => '            ngx_http_longpoll_put(w->waiting, 0);', to => '',
      seen => 'plain t/060-workers.t' },

    { name => 'a drain that stops after its first batch',
      file => 'drain.c',
      from => '        ngx_add_timer(ev, NGX_HTTP_LONGPOLL_DRAIN_STEP);',
      to => '        ;',
      seen => 'plain t/060-workers.t' },

    { name => 'a drained poll answered with the current time',
      file => 'cursor.c',
      from => 'if (closing && !z->sh->moved && !z->sh->feed.on && !rd->missed) {',
      to => 'if (0) {',
      seen => 'plain t/060-workers.t' },

    { name => 'a frozen zone that takes a publish',
      file => 'zone_publish.c',
      from => "    if (z->sh->moved) {\n        return NGX_ERROR;",
      to => "    if (0) {\n        return NGX_ERROR;",
      seen => 'unit save' },

    { name => 'a frozen zone with a last ms that is open',
      file => 'zone_adopt.c',
      from => 'ngx_http_longpoll_id_last_of(ms));',
      to => 'old->sh->clock.last_id + 0 * ms);',
      seen => 'unit save' },

    { name => 'what was deleted while a zone was copied stays',
      file => 'zone_adopt.c',
      from => '    ngx_http_longpoll_zone_adopt_compare(z, old);',
      to => '    if (0) ngx_http_longpoll_zone_adopt_compare(z, old);',
      seen => 'unit save' },

    { name => 'what waits for the disk is exposed in a frozen zone',
      file => 'zone_disk.c',
      from => 'more = z->sh->disk.durable && !z->sh->moved',
      to => 'more = z->sh->disk.durable',
      seen => 'unit save' },

    { name => 'a cursor in front of its own event',
      file => 'zone_read.c',
      from => 'if (last && last->id > it->seen) {',
      to => 'if (last && last->id >= it->seen) {',
      seen => 'plain t/030-subscribe.t' },

    { name => 'a poll since this ms that misses its events',
      file => 'zone_read.c',
      from => 'ngx_http_longpoll_id_ms(cursor->id) < clock))',
      to => 'ngx_http_longpoll_id_ms(cursor->id) <= clock))',
      seen => 'plain t/030-subscribe.t' },

    { name => 'a request that waits on in its post_action',
      file => 'disconnect.c',
      from => '            leave(cln->data);', to => '            ;',
      seen => 'plain t/045-post-action.t' },

    { name => 'a poll whose time begins when it gets through',
      file => 'poll.c',
      from => 'timeout - ctx->age);', to => 'timeout);',
      seen => 'plain t/044-held.t' },

    { name => 'missed left out of an answer',
      file => 'cat.c',
      from => 'return cursor < dropped || (cursor < shared && !beginning);',
      to => 'return cursor < dropped && cursor > shared && beginning;',
      seen => 'plain t/050-zone.t' },

    { name => 'the limit of live messages ignored',
      file => 'zone_room.c',
      from => 'while (sh->log.live + room->need > ngx_http_longpoll_zone_room_limit(z)) {',
      to => 'while (sh->log.live + room->need > sh->log.size) {',
      seen => 'unit store' },

    { name => 'a publish that holds the lock to its end',
      file => 'zone_publish.c',
      from => "    for ( ;; ) {\n        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;",
      to => "    for ( ;; ) {\n        steps = (ngx_uint_t) -1;",
      seen => 'unit store' },

    { name => "a cursor of gpoll's that does not move",
      file => 'client.c',
      from => "    ngx_http_longpoll_put(entry->seen, seen);\n\n    if (entry->waiting",
      to => "    if (entry->waiting",
      seen => 'plain t/110-gpoll.t' },

    { name => "a cursor of gpoll's that moves in a hold of its own",
      file => 'zone_read.c',
      from => 'return source->copy ? source->copy(z, reader)',
      to => 'return source->copy ? (ngx_http_longpoll_zone_unlock(z), '
            . 'usleep(100), ngx_http_longpoll_zone_lock(z), '
            . 'source->copy(z, reader))',
      seen => 'plain t/111-gpoll-workers.t' },

    { name => "a client of gpoll's known by its number",
      file => 'client.c',
      from => "if ((entry->uuid[0] ^ client->uuid[0])\n"
              . "        | (entry->uuid[1] ^ client->uuid[1]))",
      to => 'if (entry->uuid[0] == 0)',
      seen => 'plain t/110-gpoll.t' },

    { name => "a client of gpoll's that is nobody's",
      file => 'client.c',
      from => ' || client->uuid[0] == 0', to => '',
      seen => 'unit store' },

    { name => "a client of gpoll's that lost a message and stays",
      file => 'zone_read.c',
      from => 'if (rd->missed && source->lost) {', to => 'if (0) {',
      seen => 'plain t/110-gpoll.t' },

    { name => "a client of gpoll's that waits for ever",
      file => 'interest.c',
      from => '        ngx_http_longpoll_zone_client_leave(z, worker, &client,',
      to => '        if (0) ngx_http_longpoll_zone_client_leave(z, worker, &client,',
      seen => 'plain t/110-gpoll.t' },

    { name => "a client of gpoll's that waits in a dead worker",
      file => 'zone_tick.c',
      from => '    ngx_http_longpoll_zone_client_reap(z, worker, now);', to => '',
      seen => 'plain t/111-gpoll-workers.t' },

    { name => "the wrong client of gpoll's goes",
      file => 'client.c',
      from => '    n = clients->sh->first;', to => '    n = clients->sh->last;',
      seen => 'plain t/110-gpoll.t' },

    { name => 'events of the other side of an upgrade not missed',
      file => 'zone_load.c',
      from => '    if (!follows) {', to => '    if (0) {',
      seen => 'persist t/persist/upgrade.t' },

    { name => 'a delete that leaves no note in the log',
      file => 'zone_list.c',
      from => 'ngx_http_longpoll_zone_cursor_note(z, NGX_HTTP_LONGPOLL_CONTROL_DROP,
                                       cat->hash[1], upto, id);', to => ';',
      seen => 'persist t/persist/restart.t' },

    { name => 'a round that ends within a publish',
      file => 'zone_disk.c',
      from => 'if (!lines->more && lines->len >= lines->enough) {',
      to => 'if (lines->len >= lines->enough) {',
      seen => 'unit save' },

    { name => 'a log that another nginx wrote to is replaced',
      file => 'pass.c',
      from => '    if (!writer->ready
        && ((n && numbers', to => '    if (0
        && ((n && numbers', seen => 'persist t/persist/upgrade.t' },

    { name => 'a new worker with the number of a dead one is taken for it',
      file => 'writer.c',
      from => '(uint64_t) ngx_pid << 32 | ', to => '',
      seen => 'unit disk' },

    { name => 'workers that end at once and leave the end to each other',
      file => 'writer.c',
      from => "        ngx_http_longpoll_writer_resign(writer);\n    }\n\n    /* the last",
      to => "        ngx_http_longpoll_writer_resign(writer);\n        return;\n"
            . "    }\n\n    /* the last",
      seen => 'unit disk' },

    { name => 'a round that is not synced',
      file => 'pass.c',
      from => 'fdatasync(writer->fd) == -1', to => '0',
      seen => 'persist t/persist/kill.t' },

    { name => 'the directory of a new segment is not synced',
      file => 'pass.c',
      from => '(size == 0 && fsync(z->dir) == -1)', to => '0', seen => 'persist t/persist/kill.t' },

    { name => 'a failed round whose messages stay taken',
      file => 'pass.c',
      from => '    ngx_http_longpoll_zone_disk_failed(writer->zone, &writer->wake);
', to => '', seen => 'persist t/persist/disk.t' },

    { name => 'an end that is believed, whatever the files have',
      file => 'load.c',
      from => 'load->end_bytes == load->bytes', to => 'load->end_bytes',
      seen => 'persist t/persist/log.t' },

    { name => 'a line that changed since it was judged is not judged again',
      file => 'load_file.c',
      from => '&& known->sum == ngx_http_longpoll_load_file_sum(p, len))',
      to => ')', seen => 'unit load' },

    { name => 'PATH.restored has no effect',
      file => 'load.c',
      from => '!loaded->restored && !load->broken', to => '!load->broken',
      seen => 'persist t/persist/log.t' },

    { name => 'lines of others are not kept',
      file => 'pass.c',
      from => '    if (disk->skipped
', to => '    if (0 && disk->skipped
', seen => 'persist t/persist/load.t' },
);

$| = 1;

my @words = split ' ', $ENV{T} // '';

if (@words) {
    my $wanted = join '|', map { quotemeta } @words;
    @mutants = grep { $_->{name} =~ /$wanted/ } @mutants;
    die "no such mutant: @words\n" unless @mutants;
}

if (@ARGV) {
    my @stale = map { eval { mutant($root, $_); 1 } ? () : $@ } @mutants;

    print map { "t/mutants/mutants.t: $_" } @stale;
    exit(@stale ? 1 : 0);
}

my ($tests, $failed) = (0, 0);
my %parts = map { $_->{seen} => 1 } @mutants;

copy();

for my $part (sort keys %parts) {
    my ($passed, $said) = run($part);

    report($passed, "without a mistake: $part", $passed ? () : $said);
}

mutate($_) for @mutants;

print "1..$tests\n";
exit($failed ? 1 : 0);


# Copies the sources, so that they are newer than what was built there.

sub copy {
    make_path($tree);

    for my $path (qw( Makefile config ngx_http_longpoll_module.c docs src t
                      tools )) {
        system('rm', '-rf', "$tree/$path") == 0
            and system('cp', '-R', "$root/$path", "$tree/$path") == 0
            or die "$path cannot be copied\n";
    }

    system('rm', '-rf', glob "$tree/t/servroot*");
}

# returns whether the part passed, and its output

sub run {
    my ($part) = @_;

    # the module of the copy, and the nginx that is installed

    delete local @ENV{qw( TEST_NGINX_BINARY TEST_NGINX_LOAD_MODULES T )};

    # one failure is enough

    local $ENV{PERL5OPT} = "-I$tree/t/lib -MLongpoll::Impatient";

    my ($name, @files) = split ' ', $part;
    my $said = `cd $tree && make -s 2>&1 && timeout --foreground $limit tools/test.pl $name -- @files 2>&1`;

    return ($? == 0, $said);
}

# returns the file of a mutant, its text, and the text with the mistake

sub mutant {
    my ($where, $m) = @_;

    my ($file) = glob "$where/src/*/ngx_http_longpoll_$m->{file}"
        or die "$m->{name}: there is no $m->{file}\n";
    my $text = slurp($file);
    my $mutant = $text;
    my $n = $mutant =~ s/\Q$m->{from}\E/$m->{to}/g || 0;

    die "$m->{name}: $m->{file} has $n times what is to be changed\n"
        if $n != 1;

    return ($file, $text, $mutant);
}

sub mutate {
    my ($m) = @_;

    my ($file, $text, $mutant) = eval { mutant($tree, $m) };
    return report(0, $m->{name}, $@) unless defined $file;

    my $start = time;

    spew($file, $mutant);

    my $compiler = `cd $tree && make -s 2>&1`;

    if ($?) {
        report(0, $m->{name}, "it does not compile: $compiler");

    } else {
        my ($passed, $said) = run($m->{seen});
        my ($first) = $said =~ /^(not ok .*)/m;

        # a test that dies; a build that fails is none

        ($first) = $said =~ m{^(FAILED: \w+: (?!make |tools/).*)}m
            unless defined $first;

        report(!$passed && defined $first, $m->{name},
               $passed ? "$m->{seen} does not notice"
                       : defined $first ? () : $said);

        printf "# %s: %s (%d s)\n", $m->{seen}, $first, time - $start
            if defined $first;
    }

    spew($file, $text);
}

sub report {
    my ($ok, $what, $why) = @_;

    $tests++;
    $failed++ unless $ok;
    printf "%sok %d - %s\n", $ok ? '' : 'not ', $tests, $what;

    print map { "# $_\n" } split /\n/, $why if defined $why;
}

sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or die "$file: $!\n";
    return join '', <$in>;
}

sub spew {
    my ($file, $text) = @_;

    open my $out, '>', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
}
