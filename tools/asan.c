
/*
 * tools/asan.c: what the sanitizers of build/asan/nginx are told.
 *
 * It is linked in, because the environment does not reach everywhere: nginx
 * clears it for the binary that it upgrades to, and Test::Nginx rewrites
 * ASAN_OPTIONS.  Traps are UBSan's, and what may be loaded in front is
 * build/chaos/clock.so (see tools/build.sh).
 */


const char *__asan_default_options(void);
const char *__lsan_default_options(void);
const char *__lsan_default_suppressions(void);


const char *
__asan_default_options(void)
{
    return "handle_sigill=1:handle_abort=1:verify_asan_link_order=0"
           ":log_path=" REPORTS "/asan";
}


const char *
__lsan_default_options(void)
{
    return "print_suppressions=0";
}


/* what nginx itself leaves to the end of the process */

const char *
__lsan_default_suppressions(void)
{
    return "leak:ngx_create_pool\n"
           "leak:ngx_event_process_init\n"
           "leak:ngx_regex_malloc\n";
}
