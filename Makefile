# ngx_http_longpoll_module; `make help` lists the targets.
#
# nginx's own configure and Makefile build the module (see tools/build); this
# file only gives what one does here a name.  Every target installs what it
# needs itself (tools/deps).

MAKEFLAGS += --no-print-directory

# the demo's port; the test files of plain, hup, asan and matrix (all, if none
# is named)
PORT = 8080
T =

# of each fuzz target
SECONDS = 30

.PHONY: all help check test unit load plain hup asan fuzz chaos soak clients \
	matrix smoke run bench clean build-unit build-fuzz build-bench

all:                ## build/ngx_http_longpoll_module.so for the installed nginx
	@tools/deps build
	@tools/build module

test:               ## for a landing: check to chaos, smoke
	@tools/deps build check test asan clients run fuzz
	@tools/test build check unit load plain hup clients asan fuzz chaos smoke

check: all          ## layout, style, warnings, cppcheck
	@tools/deps check
	@tools/check

unit:               ## the programs of t/unit/
	@tools/deps build test
	@tools/test unit

load: all           ## does the load generator of bench/ notice mistakes?
	@tools/deps build check
	@tools/test load

plain: all          ## t/*.t, a fresh nginx for every block; T=t/x.t for some
	@tools/deps test
	@tools/test plain -- $(T)

hup: all            ## t/*.t, one nginx that is reloaded from block to block
	@tools/deps test
	@tools/test hup -- $(T)

clients: all        ## t/clients/*.t, golongpoll's clients, a browser; T=...
	@tools/deps clients run
	@tools/test clients -- $(T)

asan:               ## t/*.t, on an nginx under AddressSanitizer and UBSan
	@tools/deps build test asan
	@tools/test asan -- $(T)

fuzz:               ## t/fuzz/*.c, half a minute each; SECONDS=n T=query for more
	@tools/deps build fuzz
	@SECONDS=$(SECONDS) tools/test fuzz -- $(T)

matrix:             ## t/*.t, on nginx 1.22, 1.26 and the newest, also static
	@tools/deps build test asan
	@tools/test matrix -- $(T)

smoke:              ## a few of t/*.t on the newer of these
	@tools/deps build test asan
	@tools/test smoke

chaos: all          ## a minute of storm: kills, reloads, odd clients; SEED=...
	@tools/deps build test
	@tools/test chaos

soak: all           ## the same for ten minutes, or SECONDS=...
	@tools/deps build test
	@tools/test soak

run: all            ## the demo on 127.0.0.1:8080 (PORT=...), until Ctrl-C
	@tools/deps run
	@tools/run $(PORT)

bench: all          ## the benchmark, to docs/performance.md; ARGS='--quick'
	@tools/deps build bench
	@bench/run $(ARGS)

clean:              ## removes build/ and what the tests left
	@rm -rf build t/servroot*

help:               ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1|\2/p' Makefile \
	    | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'


# The unit programs, with the files of src/ that each is linked with; what is
# named NAME_x.c belongs to NAME.  They run under the sanitizers: they are small,
# and that finds more.

build/unit/text:   UNIT = id query json wire
build/unit/store:  UNIT = hash id sound log cat zone zone_read zone_check
build/unit/store:  CPPFLAGS += -DNGX_HTTP_LONGPOLL_STEPS=1 \
	-DNGX_HTTP_LONGPOLL_DEBUG=1

UNIT_FLAGS = -std=gnu11 -O1 -g -Wall -Wextra -Wshadow -Wno-unused-parameter \
	-fsanitize=address,undefined -fno-sanitize-recover -Isrc \
	$(foreach d,src/core src/event src/event/modules src/os/unix src/http \
		src/http/modules src/http/v2 objs,-Ibuild/nginx/$d)

programs := build/unit/text build/unit/store

build-unit: all $(programs)

$(programs): | all

build/unit/%: t/unit/%.c $(wildcard src/* t/unit/*) Makefile
	@mkdir -p build/unit
	@echo "compiling $@"
	@$(CC) $(CPPFLAGS) $(UNIT_FLAGS) -o $@ $< \
	    $(wildcard t/unit/$*_*.c) $(UNIT:%=src/ngx_http_longpoll_%.c) -lyajl


# The fuzz targets: libFuzzer is clang's.  The stubs are those of the unit
# programs.

build/fuzz/query:  FUZZ = id query json
build/fuzz/body:   FUZZ = json
build/fuzz/wire:   FUZZ = id json wire
build/fuzz/zone build/fuzz/walk: FUZZ = hash id sound log cat zone zone_read \
	zone_check
build/fuzz/zone build/fuzz/walk: CPPFLAGS += -DNGX_HTTP_LONGPOLL_DEBUG=1
build/fuzz/zone:   CPPFLAGS += -DNGX_HTTP_LONGPOLL_STEPS=1
build/fuzz/query build/fuzz/body build/fuzz/wire: STUB = t/unit/text_stub.c

FUZZ_FLAGS = $(UNIT_FLAGS) -fsanitize=fuzzer -Wno-unused-function

targets := $(patsubst t/%.c,build/%,$(wildcard t/fuzz/*.c))

build-fuzz: all $(targets)

$(targets): | all

build/fuzz/%: t/fuzz/%.c $(wildcard src/* t/fuzz/*.h t/unit/*) Makefile
	@mkdir -p build/fuzz
	@echo "compiling $@"
	@clang $(CPPFLAGS) $(FUZZ_FLAGS) -o $@ $< $(STUB) \
	    $(FUZZ:%=src/ngx_http_longpoll_%.c) -lyajl


# The load generator.

build-bench: build/bench/longpoll-bench

build/bench/longpoll-bench: $(wildcard bench/*.[ch])
	@mkdir -p build/bench
	@echo "compiling $@"
	@$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wno-unused-parameter \
	    -o $@ bench/*.c
