
/*
 * tools/asan.c: the options of the sanitizers in build/asan/nginx.
 *
 * They are linked in, because the environment does not reach every process:
 * nginx clears it for the binary that it upgrades to, and Test::Nginx rewrites
 * ASAN_OPTIONS.  SIGILL is a trap of UBSan.  The order of libraries is not
 * checked, as build/chaos/clock.so may be preloaded (see tools/build.sh).
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


/* memory that nginx itself does not free before the process ends */

const char *
__lsan_default_suppressions(void)
{
    return "leak:ngx_create_pool\n"
           "leak:ngx_event_process_init\n"
           "leak:ngx_regex_malloc\n";
}
