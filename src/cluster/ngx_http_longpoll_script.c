
/*
 * ngx_http_longpoll_script.c: the scripts that Redis runs.
 *
 * Owns the order of ids in the stream.  XADD gives an entry the id ms-seq.  The
 * events behind its first one take the next seqs: XSETID moves the stream's
 * last id behind them.  XSETID to ms-MAX makes the next XADD carry into ms + 1.
 *
 *   - An id's seq must stay below 65,536.  When Redis's clock is set back XADD
 *     stays in the last ms and counts seq on, so a ms is ended once 64,536 are
 *     used: then the next 1,000 would not fit.
 *   - If a stranger's entry has used up the ms, an entry may not fit: it is
 *     deleted, the ms is ended, and it is added once more.
 *   - The number is counted first.  A number without an entry is a gap, which
 *     clients are told of, and never an entry without a number.
 *   - Without a stream nothing is added: a publish does not begin one.
 */


#include "ngx_http_longpoll_script.h"

#include <ngx_sha1.h>


/* Lua's numbers are doubles: MAX must not become one */

#define NGX_HTTP_LONGPOLL_SCRIPT_MAX  "-18446744073709551615"

/* ends unless KEYS[2]'s epoch is ARGV[1] */

#define NGX_HTTP_LONGPOLL_SCRIPT_LIFE                                         \
"local lines = redis.call('GET', KEYS[2]) or ''\n"                            \
"if string.match(lines, '^%x*') ~= ARGV[1] then return 0 end\n"

/*
 * Adds an entry with the fields, for so many ids.  Leaves its ms, and the seq
 * of its last id.
 */

#define NGX_HTTP_LONGPOLL_SCRIPT_ADD(ids, fields)                             \
"local n = redis.call('INCR', KEYS[3])\n"                                     \
"local ms, top\n"                                                             \
"for again = 0, 1 do\n"                                                       \
"  local id = redis.call('XADD', KEYS[1], 'NOMKSTREAM', '*', 'n', n, "        \
                         fields ")\n"                                         \
"  if not id then return 0 end\n"                                             \
"  ms, top = string.match(id, '^(%d+)-(%d+)$')\n"                             \
"  top = top + " ids " - 1\n"                                                 \
"  if top < 65536 or again == 1 then break end\n"                             \
"  redis.call('XDEL', KEYS[1], id)\n"                                         \
"  redis.call('XSETID', KEYS[1], ms .. '" NGX_HTTP_LONGPOLL_SCRIPT_MAX "')\n" \
"end\n"


ngx_http_longpoll_script_t  ngx_http_longpoll_script_publish = {
    ngx_string(
NGX_HTTP_LONGPOLL_SCRIPT_LIFE
"local old = KEYS[4] and redis.call('GET', KEYS[4])\n"
"if old then return '=' .. old end\n"
NGX_HTTP_LONGPOLL_SCRIPT_ADD("ARGV[2]", "unpack(ARGV, 4)")
"local last = ms .. '-' .. string.format('%d', top)\n"
"local id = top > 64535 and ms .. '" NGX_HTTP_LONGPOLL_SCRIPT_MAX "' or last\n"
"if id ~= last or ARGV[2] ~= '1' then redis.call('XSETID', KEYS[1], id) end\n"
"if KEYS[4] then redis.call('SET', KEYS[4], last, 'PX', ARGV[3]) end\n"
"return last\n"
    ),
    ngx_null_string
};


ngx_http_longpoll_script_t  ngx_http_longpoll_script_beat = {
    ngx_string(
NGX_HTTP_LONGPOLL_SCRIPT_LIFE
NGX_HTTP_LONGPOLL_SCRIPT_ADD("1", "'h', ARGV[2]")
"redis.call('XSETID', KEYS[1], ms .. '" NGX_HTTP_LONGPOLL_SCRIPT_MAX "')\n"
"return ms .. '-' .. string.format('%d', top)\n"
    ),
    ngx_null_string
};


ngx_http_longpoll_script_t  ngx_http_longpoll_script_begin = {
    ngx_string(
"local lines = redis.call('GET', KEYS[2]) or ''\n"
"if string.match(lines, '^%S*') ~= ARGV[1] then return lines end\n"
"local t, last = redis.call('TIME'), '0'\n"
"local ms = t[1] * 1000 + math.floor(t[2] / 1000)\n"
"if redis.call('EXISTS', KEYS[1]) == 1 then\n"
"  last = redis.call('XINFO', 'STREAM', KEYS[1])[8]\n"
"end\n"
"ms = math.max(ms, tonumber(string.match(last, '^%d+')), ARGV[4]) + 1\n"
"ms = string.format('%.0f', ms)\n"
"local n = redis.call('INCR', KEYS[3])\n"
"redis.call('XADD', KEYS[1], ms .. '-0', 'n', n, 'l', ARGV[2])\n"
"redis.call('XSETID', KEYS[1], ms .. '" NGX_HTTP_LONGPOLL_SCRIPT_MAX "')\n"
"lines = ARGV[2] .. ' ' .. ms .. '-0 ' .. ARGV[3] .. '\\n' .. ARGV[5]\n"
"redis.call('SET', KEYS[2], lines)\n"
"return lines\n"
    ),
    ngx_null_string
};


static void ngx_http_longpoll_script_hash(ngx_http_longpoll_script_t *script,
    u_char *sha);


static u_char  ngx_http_longpoll_script_shas[3][40];


void
ngx_http_longpoll_script_init(void)
{
    ngx_http_longpoll_script_hash(&ngx_http_longpoll_script_publish,
                                  ngx_http_longpoll_script_shas[0]);
    ngx_http_longpoll_script_hash(&ngx_http_longpoll_script_beat,
                                  ngx_http_longpoll_script_shas[1]);
    ngx_http_longpoll_script_hash(&ngx_http_longpoll_script_begin,
                                  ngx_http_longpoll_script_shas[2]);
}


static void
ngx_http_longpoll_script_hash(ngx_http_longpoll_script_t *script, u_char *sha)
{
    u_char      hash[20];
    ngx_sha1_t  sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, script->text.data, script->text.len);
    ngx_sha1_final(hash, &sha1);

    script->sha.data = sha;
    script->sha.len = ngx_hex_dump(sha, hash, sizeof(hash)) - sha;
}
