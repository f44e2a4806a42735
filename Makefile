# Thin front of CMake: `make help` lists the targets.
BUILD := build
DB := $(BUILD)/notes.db
VOW := $(BUILD)/release/vow
JOBS := $(shell nproc 2>/dev/null || echo 2)
PREFIX ?= /usr/local

.PHONY: all run test asan tsan clang bench bench-peers fuzz install uninstall clean help system

all: system
	@cmake --preset release $(QUIET)
	@cmake --build --preset release -j $(JOBS)

run: all
	@rm -f $(DB) $(DB)-wal $(DB)-shm
	@$(VOW) notes put --db sqlite:$(DB) --file examples/notes.jsonl
	$(VOW) eval --db sqlite:$(DB) --allow 'notes.*' --report $(BUILD)/report.json examples/notes.js
	@echo "report:"; cat $(BUILD)/report.json

# T=name runs one test by name (a regular expression); see test/run.sh.
test: all
	@test/run.sh release $(JOBS) '$(T)'

asan tsan: all
	@cmake --preset $@
	@cmake --build --preset $@ -j $(JOBS)
	@test/run.sh $@ $(JOBS) '$(T)'

clang: all
	@cmake --preset clang
	@cmake --build --preset clang -j $(JOBS)

bench: all
	@bench/run.sh $(BUILD)/release

bench-peers: all
	@bench/peers/run.sh $(BUILD)

# SECONDS is the time of each target.
fuzz: all
	@cmake --preset fuzz
	@cmake --build --preset fuzz -j $(JOBS)
	@fuzz/run.sh $(BUILD)/fuzz $(SECONDS)

install: all
	@cmake --install $(BUILD)/release --prefix $(PREFIX)

uninstall:
	@cmake -DMANIFEST=$(BUILD)/release/install_manifest.txt -P cmake/uninstall.cmake

clean:
	@rm -rf $(BUILD)

system:
	@deps/system.sh $(filter fuzz,$(MAKECMDGOALS))

help:
	@echo "make                 build the release: $(VOW)"
	@echo "make run             build, fill a small notes database, run examples/notes.js"
	@echo "make test [T=NAME]   build and run the tests; T picks some: T=test_op, T=script.value-date"
	@echo "make asan [T=NAME]   the same under Address and Undefined Behaviour Sanitizer"
	@echo "make tsan [T=NAME]   the tests of what has threads (label 'threads') under"
	@echo "                     ThreadSanitizer; T picks from all tests"
	@echo "make clang           compile with clang: warnings are errors there too"
	@echo "make bench           our own measurements, as a table and as JSON"
	@echo "make bench-peers     the same work on Vow and on others, in one run"
	@echo "make fuzz [SECONDS=N]     run each fuzz target for a while (default 60 seconds)"
	@echo "make install PREFIX=DIR   (default /usr/local); make uninstall takes it back"
	@echo "make clean           remove build/, downloaded packages too"
