# metaStore. `make help` lists the targets; `make run` and `make test` need nothing else first.
#
# Every folder of src/ is a static library; every folder of tests/ with *_test.cc is one test
# binary. Objects live in build/<configuration>/, so the configurations never mix.

CONFIG ?= release
BUILD := build/$(CONFIG)
JOBS := $(shell nproc)
ifeq ($(filter -j%,$(MAKEFLAGS))$(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif

CXX := g++
CXXFLAGS_release := -O2 -g1
CXXFLAGS_asan := -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CXXFLAGS_tsan := -O1 -g1 -fsanitize=thread
# libFuzzer is clang's.
CXXFLAGS_fuzz := -O1 -g1 -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all -fno-omit-frame-pointer
ifeq ($(CONFIG),fuzz)
CXX := clang++-14
endif
CCACHE := $(shell command -v ccache 2>/dev/null)

CPPFLAGS := -Isrc -I. -I$(BUILD) -DSPDLOG_COMPILED_LIB -DSPDLOG_FMT_EXTERNAL
# No multiplication and addition in one step: replicas compute the same numbers however each is built.
CXXFLAGS := -std=c++20 -Wall -Wextra -Werror -pthread -ffp-contract=off $(CXXFLAGS_$(CONFIG))
LDFLAGS := -pthread $(filter -fsanitize=address% -fsanitize=thread,$(CXXFLAGS_$(CONFIG)))
LDLIBS := -levent -levent_pthreads -lspdlog -lfmt -lprotobuf -lxxhash -lcrypto
# The server's release binary holds RocksDB itself: its thread-local counters and calls then need no
# indirection, which made reads and writes 10 % faster. Everything else links the shared library.
ROCKSDB := -lrocksdb
ROCKSDB_release := -l:librocksdb.a -lgflags -lsnappy -llz4 -lzstd -lbz2 -lz -ldl -ljemalloc

# Upper layers first: the linker reads left to right. This order is design, not taste:
# tests/base/layers_test.cc checks that includes point only to the right.
LAYERS := net server replica commands types engine raft resp base
LIBS := $(LAYERS:%=$(BUILD)/lib%.a)

PROTO := $(wildcard src/*/*.proto)
PROTO_OBJS := $(PROTO:src/%.proto=$(BUILD)/%.pb.o)
SRCS := $(foreach l,$(LAYERS),$(wildcard src/$(l)/*.cc))
OBJS := $(SRCS:src/%.cc=$(BUILD)/%.o)
TEST_DIRS := $(sort $(patsubst tests/%/,%,$(dir $(wildcard tests/*/*_test.cc))))
UNIT_TESTS := $(filter-out cluster,$(TEST_DIRS))
FUZZERS := $(patsubst tests/fuzz/%_fuzzer.cc,%,$(wildcard tests/fuzz/*_fuzzer.cc))

.DEFAULT_GOAL := all
.PHONY: all run test deps cluster stop-cluster bench asan tsan fuzz format lint install clean help unit

all: metaStore
ifeq ($(CONFIG),release)
metaStore: $(BUILD)/metaStore
	@cp -f $< $@.new && mv -f $@.new $@
else
metaStore: $(BUILD)/metaStore
endif

$(BUILD)/metaStore: $(BUILD)/main/main.o $(LIBS)
	@echo "LINK $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(or $(ROCKSDB_$(CONFIG)),$(ROCKSDB)) $(LDLIBS)

# The list of a library's objects is a prerequisite too: a file that was added or removed must make
# it anew, whatever the times of the objects.
define library
$(1)_OBJS := $(patsubst src/%.cc,$(BUILD)/%.o,$(wildcard src/$(1)/*.cc)) $(filter $(BUILD)/$(1)/%,$(PROTO_OBJS))
$(BUILD)/lib$(1).list: FORCE
	@mkdir -p $$(@D)
	@echo $$($(1)_OBJS) | cmp -s - $$@ || echo $$($(1)_OBJS) > $$@
$(BUILD)/lib$(1).a: $$($(1)_OBJS) $(BUILD)/lib$(1).list
	@rm -f $$@ && ar rcs $$@ $$($(1)_OBJS)
endef
.PHONY: FORCE
$(foreach l,$(LAYERS),$(eval $(call library,$(l))))

$(BUILD)/%.o: src/%.cc
	@mkdir -p $(@D)
	@echo "CXX $(CONFIG) $<"
	@$(CCACHE) $(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.pb.cc $(BUILD)/%.pb.h: src/%.proto
	@mkdir -p $(@D)
	protoc -Isrc --cpp_out=$(BUILD) $<
# Generated code is not ours to lint.
$(BUILD)/%.pb.o: $(BUILD)/%.pb.cc
	@$(CCACHE) $(CXX) $(CPPFLAGS) $(CXXFLAGS) -w -MMD -MP -c -o $@ $<
.PRECIOUS: $(BUILD)/%.pb.cc $(BUILD)/%.pb.h
# Headers that are generated must exist before the layers that include them compile.
$(patsubst src/%.cc,$(BUILD)/%.o,$(wildcard src/replica/*.cc src/net/*.cc src/server/*.cc src/main/*.cc)): | $(PROTO:src/%.proto=$(BUILD)/%.pb.h)

# A test folder links its own layer and the ones below it.
below = $(if $(filter $(1),$(firstword $(2))),$(2),$(if $(2),$(call below,$(1),$(wordlist 2,99,$(2))),$(LAYERS)))
define test_binary
$(BUILD)/tests/$(1)_test: $(patsubst %.cc,$(BUILD)/%.o,$(wildcard tests/$(1)/*.cc tests/support/*.cc)) $(patsubst %,$(BUILD)/lib%.a,$(call below,$(1),$(LAYERS)))
	@echo "LINK $@"
	@$(CXX) $(LDFLAGS) -o $$@ $$^ -lgmock -lgtest -lgtest_main -lhiredis $(ROCKSDB) $(LDLIBS)
$(patsubst %.cc,$(BUILD)/%.o,$(wildcard tests/$(1)/*.cc tests/support/*.cc)): | $(PROTO:src/%.proto=$(BUILD)/%.pb.h)
endef
$(foreach d,$(TEST_DIRS),$(eval $(call test_binary,$(d))))

# Under a sanitizer optimizing the tests themselves takes longer than it saves.
TEST_CXXFLAGS_asan := -O0
$(BUILD)/tests/%.o: tests/%.cc
	@mkdir -p $(@D)
	@echo "CXX $(CONFIG) $<"
	@$(CCACHE) $(CXX) $(CPPFLAGS) $(CXXFLAGS) $(TEST_CXXFLAGS_$(CONFIG)) -MMD -MP -c -o $@ $<


# --- dependencies --------------------------------------------------------------------------------
BUILD_PACKAGES := g++ make librocksdb-dev libgflags-dev libsnappy-dev liblz4-dev libzstd-dev \
	libbz2-dev zlib1g-dev libevent-dev libspdlog-dev libfmt-dev \
	libprotobuf-dev protobuf-compiler libcli11-dev libjemalloc-dev libxxhash-dev libssl-dev
TEST_PACKAGES := libgtest-dev libgmock-dev libhiredis-dev redis-tools redis-server python3 \
	python3-redis curl strace procps
LINT_PACKAGES := clang-14 clang-format-14 libclang-rt-14-dev
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# Installs what is missing of the packages given, and asks no network when nothing is.
define install_packages
	@missing=$$(dpkg-query -W -f='$${Package} $${db:Status-Status}\n' $(1) 2>&1 \
	  | grep -v ' installed$$' | sed -n 's/^dpkg-query: no packages found matching //p; s/ .*//p' | sort -u); \
	if [ -n "$$missing" ]; then \
	  echo "installing: $$missing"; \
	  $(SUDO) apt-get update -q && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; \
	fi
endef
.PHONY: test-deps lint-deps
deps:
	$(call install_packages,$(BUILD_PACKAGES))
test-deps:
	$(call install_packages,$(BUILD_PACKAGES) $(TEST_PACKAGES))
lint-deps:
	$(call install_packages,$(BUILD_PACKAGES) $(TEST_PACKAGES) $(LINT_PACKAGES))
# What needs a set-up first calls make again, so that the compiler is there when rules are read.
AGAIN := $(MAKE) --no-print-directory

# --- running -------------------------------------------------------------------------------------
run: deps
	+@$(AGAIN) all
	exec ./metaStore $(ARGS)

PEERS := http://127.0.0.1:12379,http://127.0.0.1:22379,http://127.0.0.1:32379
cluster: deps
	+@$(AGAIN) all
	@mkdir -p data
	@for id in 1 2 3; do \
	  if [ -f data/$$id.pid ] && kill -0 $$(cat data/$$id.pid) 2>/dev/null; then \
	    echo "node $$id runs already"; continue; fi; \
	  nohup ./metaStore --id $$id --cluster $(PEERS) --port $${id}2380 --log-file data/$$id.log \
	    >data/$$id.out 2>&1 & echo $$! > data/$$id.pid; \
	  echo "node $$id: redis 127.0.0.1:$$((6378 + id)), http 127.0.0.1:$${id}2380, log data/$$id.log"; \
	done
stop-cluster:
	@for id in 1 2 3; do \
	  if [ -f data/$$id.pid ]; then kill $$(cat data/$$id.pid) 2>/dev/null; rm -f data/$$id.pid; fi; done

# --- tests ---------------------------------------------------------------------------------------
# Neither RocksDB nor libstdc++ is instrumented: what they do for each other looks like a race.
export TSAN_OPTIONS ?= suppressions=tests/support/tsan.supp:ignore_noninstrumented_modules=1
.PHONY: unit-binaries run-unit run-long cluster-test torture compat-test replay-corpus sim
unit-binaries: $(UNIT_TESTS:%=$(BUILD)/tests/%_test)
# As many at once as there are jobs, the longest first; what one prints comes whole at its end.
LONG_TESTS := raft types replica
UNIT_RUNS := $(patsubst %,run-unit-%,$(LONG_TESTS) $(filter-out $(LONG_TESTS),$(UNIT_TESTS)))
.PHONY: $(UNIT_RUNS)
run-unit: unit-binaries
	+@$(AGAIN) --output-sync=target $(UNIT_RUNS)
run-long: $(LONG_TESTS:%=$(BUILD)/tests/%_test)
	+@$(AGAIN) --output-sync=target $(LONG_TESTS:%=run-unit-%)
$(UNIT_RUNS): run-unit-%:
	@echo "== $* ($(CONFIG))"
	@$(BUILD)/tests/$*_test --gtest_brief=1
unit: test-deps
	+@$(AGAIN) run-unit

# The unit tests run under the sanitizers (assertions are on in any build), those for which speed is
# depth as they are released too, and so do real processes.
test: test-deps
	+@$(AGAIN) all
	+@$(AGAIN) run-long
	+@$(AGAIN) cluster-test
	+@$(AGAIN) compat-test
	+@$(AGAIN) CONFIG=asan run-unit
	+@$(AGAIN) CONFIG=asan replay-corpus

# The simulators for as long as wanted: SEEDS of them from FIRST on. Then every broken
# rule, each until some seed notices it.
SEEDS ?= 100000
FIRST ?= 1
MUTANT_SEEDS ?= 100000
sim: test-deps
	+@$(AGAIN) $(BUILD)/tests/raft_test $(BUILD)/tests/replica_test
	SEEDS=$(SEEDS) FIRST=$(FIRST) $(BUILD)/tests/raft_test --gtest_brief=1 --gtest_filter='RaftSimulatorTest.Invariants*'
	SEEDS=$(SEEDS) FIRST=$(FIRST) $(BUILD)/tests/replica_test --gtest_brief=1 --gtest_filter='*Simulation*'
	MUTANT_SEEDS=$(MUTANT_SEEDS) $(BUILD)/tests/raft_test --gtest_brief=1 --gtest_filter='RaftSimulatorTest.EachRule*'

# Real processes: METASTORE names the binary under test.
cluster-test: $(BUILD)/metaStore $(BUILD)/tests/cluster_test
	METASTORE=$(BUILD)/metaStore $(BUILD)/tests/cluster_test --gtest_brief=1

# Half of the time for each of the clusters.
torture: test-deps
	+@$(AGAIN) $(BUILD)/metaStore $(BUILD)/tests/cluster_test
	METASTORE=$(BUILD)/metaStore TORTURE_SECONDS=$$(( $(or $(MINUTES),10) * 30 )) \
	  $(BUILD)/tests/cluster_test --gtest_filter='TortureTest.*'

asan tsan: test-deps
	+@$(AGAIN) CONFIG=$@ run-unit
	+@$(AGAIN) CONFIG=$@ cluster-test

# --- fuzzers -------------------------------------------------------------------------------------
# tests/fuzz/NAME_fuzzer.cc with seeds in tests/fuzz/corpus/NAME/; see tests/fuzz/fuzzer.h.
FUZZ_SECONDS ?= 60
FUZZ_BINARIES := $(FUZZERS:%=$(BUILD)/fuzzers/%)
REPLAY_BINARIES := $(FUZZERS:%=$(BUILD)/fuzzers/%_replay)
.PHONY: run-fuzzers

$(FUZZERS:%=$(BUILD)/tests/fuzz/%_fuzzer.o): | $(PROTO:src/%.proto=$(BUILD)/%.pb.h)
.PRECIOUS: $(BUILD)/tests/fuzz/%.o
# libFuzzer, clang's only, brings its own main.
$(FUZZ_BINARIES): $(BUILD)/fuzzers/%: $(BUILD)/tests/fuzz/%_fuzzer.o $(LIBS)
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(ROCKSDB) $(LDLIBS)
$(REPLAY_BINARIES): $(BUILD)/fuzzers/%_replay: $(BUILD)/tests/fuzz/%_fuzzer.o $(BUILD)/tests/fuzz/replay_main.o $(LIBS)
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) -o $@ $^ $(ROCKSDB) $(LDLIBS)

# What a fuzzer finds goes to $(BUILD)/found; inputs that broke something are put among the seeds by
# hand, with the fix.
fuzz: lint-deps
	+@$(AGAIN) CONFIG=fuzz run-fuzzers
run-fuzzers: $(FUZZ_BINARIES)
	@set -e; for f in $(FUZZERS); do echo "== $$f for $(FUZZ_SECONDS) s"; \
	  mkdir -p $(BUILD)/found/$$f; log=$(BUILD)/found/$$f.log; \
	  $(BUILD)/fuzzers/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 \
	    -max_len=16384 -artifact_prefix=$(BUILD)/found/$$f- \
	    $(BUILD)/found/$$f tests/fuzz/corpus/$$f >$$log 2>&1 || { tail -60 $$log; exit 1; }; \
	  tail -1 $$log; done

replay-corpus: $(REPLAY_BINARIES)
	@set -e; for f in $(FUZZERS); do log=$(BUILD)/fuzzers/$$f.log; \
	  $(BUILD)/fuzzers/$${f}_replay tests/fuzz/corpus/$$f >$$log 2>&1 || { tail -60 $$log; exit 1; }; \
	  echo "$$f: $$(tail -1 $$log) ($(CONFIG))"; done

# --- the rest ------------------------------------------------------------------------------------
compat-test: $(BUILD)/metaStore
	METASTORE=$(BUILD)/metaStore python3 tests/compat/run.py

bench: test-deps
	+@$(AGAIN) all
	python3 bench/bench.py $(ARGS)

SOURCES := $(wildcard src/*/*.cc src/*/*.h tests/*/*.cc tests/*/*.h)
format: lint-deps
	clang-format-14 -i $(SOURCES)

# The formatting, and what clang sees that g++ does not, -Wthread-safety above all.
lint: lint-deps
	@clang-format-14 --dry-run --Werror $(SOURCES)
	+@$(AGAIN) lint-compile
.PHONY: lint-compile
LINT_OBJS := $(patsubst %.cc,build/lint/%.ok,$(wildcard src/*/*.cc tests/*/*.cc))
lint-compile: $(LINT_OBJS)
build/lint/%.ok: %.cc $(PROTO:src/%.proto=$(BUILD)/%.pb.h)
	@mkdir -p $(@D)
	@clang++-14 $(CPPFLAGS) -std=c++20 -Wall -Wextra -Werror -Wthread-safety -fsyntax-only $<
	@touch $@

PREFIX ?= /usr/local
install: all
	install -D -m 755 metaStore $(DESTDIR)$(PREFIX)/bin/metaStore
	install -D -m 644 conf/metastore.conf $(DESTDIR)/etc/metastore/metastore.conf

clean:
	rm -rf build metaStore

help:
	@echo "make               build ./metaStore (release: -O2, assertions on)"
	@echo "make run           install missing packages, build, run one node on defaults (ARGS=...)"
	@echo "make test          install missing packages, build, run every test"
	@echo "make deps          install the packages the build needs"
	@echo "make cluster       three nodes on this machine; make stop-cluster stops them"
	@echo "make unit          the tests that start no processes"
	@echo "make asan, tsan    unit and cluster tests under sanitizers"
	@echo "make torture       real processes under every fault for MINUTES (10)"
	@echo "make sim           the simulators for SEEDS seeds (100000), then every broken rule"
	@echo "make fuzz          every fuzzer for FUZZ_SECONDS (60)"
	@echo "make bench         speed next to redis-server, as a table"
	@echo "make format, lint  clang-format; clang's warnings and thread-safety analysis"
	@echo "make install       to PREFIX (/usr/local)"
	@echo "make clean         remove what was built"

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
