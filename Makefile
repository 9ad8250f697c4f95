# ngx_http_longpoll_module; `make help` lists the targets.
#
# nginx's own configure and Makefile build the module (see tools/build.sh); this
# file only names what one does here.  Every target installs what it needs
# (tools/deps.sh).

MAKEFLAGS += --no-print-directory

# the demo's port; which one of demo/backends/; test files, to run these alone;
# arguments of the benchmark.  `make run PORT=...` or `PORT=... make run`.
PORT ?= 8080
NAME ?= express
T ?=
ARGS ?=

# Parts and sets of the tests; tools/lib/Suite/Parts.pm says what is in each.
SETS  = quick test test-all soak
PARTS = unit plain persist redis redises user docs cost generator hup clients asan \
	valgrind fuzz chaos smoke packaging matrix load mutants

.PHONY: all help check run run-cluster site backend bench holds dist client \
	package package-test clean build-unit build-fuzz build-bench $(SETS) $(PARTS)

all:                ## build/ngx_http_longpoll_module.so for the installed nginx
	@tools/deps.sh build
	@tools/build.sh module

check: all          ## layout, style, pages, warnings, cppcheck
	@tools/deps.sh check generator
	@tools/check.sh

quick:              ## while one works: under a minute
test:               ## the same inputs every time: six minutes
test-all:           ## what a change needs besides `make test`: half an hour
soak:               ## random inputs, ten minutes or SECONDS=n; prints SEED=...

$(SETS):
	@tools/test.pl $@

$(PARTS):
	@tools/test.pl build $@ -- $(T)

run: all            ## the demo on 127.0.0.1:8080 (PORT=...), until Ctrl-C
	@tools/deps.sh run
	@tools/run.sh $(PORT)

run-cluster: all    ## two nodes on one Redis, behind a balancer; PORT=...
	@tools/deps.sh run redis
	@tools/run-cluster.sh $(PORT)

backend: all        ## nginx before NAME=express, flask, go, php; PORT=...
	@tools/deps.sh clients run
	@tools/backend.sh $(NAME) $(PORT)

site:               ## the pages as a site, build/site/html, with mkdocs
	@tools/deps.sh site
	@tools/site.sh

bench: all          ## the benchmark, to docs/performance.md; ARGS='--quick'
	@tools/deps.sh build bench redis
	@bench/run.pl $(ARGS)

holds: all          ## how long the store holds its lock, measured
	@$(MAKE) -s build/holds
	@build/holds

dist:               ## the tarball of a release, from what is committed
	@tools/deps.sh dist
	@tools/release.sh dist

client:             ## the JavaScript client's package, for npm and <script>
	@tools/deps.sh client
	@tools/client.sh

package:            ## Debian's package for the installed nginx, from the tarball
	@tools/deps.sh build package $(if $(wildcard .git),dist)
	@tools/release.sh package

package-test:       ## packages of two Debians, installed, used and purged there
	@tools/test.pl package

clean:              ## removes build/ and what the tests left
	@rm -rf build t/servroot*

help:               ## this list; T='t/x.t ...' runs some files of a part
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile \
	    | awk -F'|' '{ printf "%-17s %s\n", $$1, $$2 }'
	@tools/test.pl help


# The unit programs, with the files of src/ that each is linked with; what is
# named NAME_x.c belongs to NAME.  They run under the sanitizers: they are small,
# and that finds more.

sources = $(foreach f,$1,$(wildcard src/*/ngx_http_longpoll_$f.c))

# all of src/store/ but lock, which the programs stub, and batch, which is not
# about the zone

STORE = hash id decimal escape golongpoll control \
	$(filter-out lock batch, $(patsubst \
	src/store/ngx_http_longpoll_%.c,%,$(wildcard src/store/*.c)))

JSON = json number string utf8 yajl

HIREDIS = $(if $(wildcard /usr/include/hiredis/hiredis.h), \
	-DNGX_HTTP_LONGPOLL_HIREDIS=1)

build/unit/text:   UNIT = id query decimal escape golongpoll sse control hash \
	entry info reply $(JSON)
build/unit/text:   STUB = t/unit/unit_chance.c -lcrypto
build/unit/text build/fuzz/reply: CPPFLAGS += $(HIREDIS)

# five programs have all of the store, checked at each step: one archive

CHECKED = -DNGX_HTTP_LONGPOLL_STEPS=1 -DNGX_HTTP_LONGPOLL_DEBUG=1

checked := $(addprefix build/unit/,store save presence feed disk)

$(checked): CPPFLAGS += $(CHECKED)
$(checked): STUB = t/unit/zone_check.c $(wildcard t/unit/unit_*.c)
$(checked): ARCHIVE = build/unit/store.a
$(checked): build/unit/store.a

build/unit/store.a: $(patsubst src/%.c,build/unit/src/%.o,$(call sources,$(STORE)))
	@rm -f $@
	@ar rcs $@ $^

build/unit/src/%.o: src/%.c $(wildcard src/*.h src/*/*.h) Makefile | all
	@mkdir -p $(@D)
	@$(CC) $(CHECKED) $(UNIT_FLAGS) -c -o $@ $<

build/unit/feed: LDFLAGS += -Wl,--wrap=clock_gettime

# all of src/disk/, with small rounds, and a disk and threads of its own

DISK = $(JSON) $(patsubst \
	src/disk/ngx_http_longpoll_%.c,%,$(wildcard src/disk/*.c))

build/unit/load: UNIT = hash id decimal escape golongpoll control segment $(JSON) \
	$(filter load%,$(DISK))

# the worker that reads a stream, with a Redis and a zone of its own

build/unit/reader: UNIT = feed lives apply upkeep resolve batch entry id hash \
                          decimal $(JSON)
build/unit/reader: STUB = t/unit/text_sha1.c t/unit/unit_chance.c -lcrypto

build/unit/disk: UNIT = $(DISK) await
build/unit/disk: CPPFLAGS += -DNGX_HTTP_LONGPOLL_WRITER_ROUND=1000 \
	-DNGX_HTTP_LONGPOLL_WRITER_PIECE=8000 \
	-DNGX_HTTP_LONGPOLL_WRITER_SLACK=2500
build/unit/disk: LDFLAGS += $(addprefix -Wl$(comma)--wrap=,openat64 close read \
	pread64 write lseek64 fsync fdatasync renameat unlinkat fstat64 fstatat64 \
	flock fdopendir readdir64 closedir pthread_create pthread_join)

comma := ,

C_FLAGS = -std=gnu11 -g -Wall -Wextra -Wshadow -Wno-unused-parameter -Isrc \
	$(addprefix -I,$(wildcard src/*/)) \
	$(foreach d,src/core src/event src/event/modules src/event/quic src/os/unix \
		src/http src/http/modules src/http/v2 src/http/v3 objs,-Ibuild/nginx/$d)
UNIT_FLAGS = $(C_FLAGS) -O1 -fsanitize=address,undefined \
	-fno-sanitize-recover

programs := $(addprefix build/unit/,text load store save disk presence \
	feed reader)

build-unit: all $(programs)

$(programs): | all

build/unit/%: t/unit/%.c $(wildcard src/*.h src/*/* t/unit/*) Makefile
	@mkdir -p build/unit
	@echo "compiling $@"
	@$(CC) $(CPPFLAGS) $(UNIT_FLAGS) $(LDFLAGS) -o $@ $< \
	    $(wildcard t/unit/$*_*.c) $(STUB) $(call sources,$(UNIT)) $(ARCHIVE) \
	    -lyajl


# The store as it is in nginx, without sanitizers and checks.

build/holds: bench/store/holds.c $(wildcard src/*.h src/*/*) Makefile
	@echo "compiling $@"
	@$(CC) $(C_FLAGS) -O2 -o $@ $< $(call sources,$(STORE))


# The fuzz targets: libFuzzer is clang's.  The stubs are those of the unit
# programs.

build/fuzz/query:  FUZZ = id hash page query utf8
build/fuzz/body:   FUZZ = $(JSON)
build/fuzz/wire:   FUZZ = id decimal escape golongpoll sse control $(JSON)
build/fuzz/entry:  FUZZ = id decimal hash entry info $(JSON)
build/fuzz/entry:  STUB = t/unit/text_stub.c t/unit/text_sha1.c -lcrypto
build/fuzz/reply:  FUZZ = reply
build/fuzz/reply:  STUB = t/unit/text_stub.c t/unit/text_pool.c
build/fuzz/zone build/fuzz/walk: FUZZ = $(STORE)
build/fuzz/zone build/fuzz/walk build/fuzz/log: \
	CPPFLAGS += -DNGX_HTTP_LONGPOLL_DEBUG=1
build/fuzz/zone:   CPPFLAGS += -DNGX_HTTP_LONGPOLL_STEPS=1
build/fuzz/walk:   STUB = t/unit/zone_check.c
build/fuzz/zone:   STUB = t/unit/zone_check.c \
	$(filter-out t/unit/unit_suite.c,$(wildcard t/unit/unit_*.c)) \
	$(filter-out t/unit/store_case.c,$(wildcard t/unit/store_*.c))
build/fuzz/log:    FUZZ = $(STORE) $(JSON) segment $(filter load%,$(DISK))
build/fuzz/log:    STUB = t/unit/zone_check.c t/unit/load_nginx.c
build/fuzz/query build/fuzz/body build/fuzz/wire: STUB = t/unit/text_stub.c

FUZZ_FLAGS = $(UNIT_FLAGS) -fsanitize=fuzzer -Wno-unused-function

targets := $(patsubst t/%.c,build/%,$(wildcard t/fuzz/*.c))

build-fuzz: all $(targets)

$(targets): | all

build/fuzz/%: t/fuzz/%.c $(wildcard src/*.h src/*/* t/fuzz/*.h t/unit/*) Makefile
	@mkdir -p build/fuzz
	@echo "compiling $@"
	@clang $(CPPFLAGS) $(FUZZ_FLAGS) -o $@ $< $(STUB) \
	    $(call sources,$(FUZZ)) -lyajl


# The load generator, and a server that only sends.

BENCH_FLAGS = -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wno-unused-parameter

build-bench:
	@tools/deps.sh generator
	@$(MAKE) -s build/bench/longpoll-bench build/bench/bare

build/bench/longpoll-bench: $(wildcard bench/*.[ch])
	@mkdir -p build/bench
	@echo "compiling $@"
	@$(CC) $(BENCH_FLAGS) -o $@ bench/*.c -lssl -lcrypto -lnghttp2

build/bench/bare: bench/bare/bare.c
	@mkdir -p build/bench
	@echo "compiling $@"
	@$(CC) $(BENCH_FLAGS) -o $@ $<
