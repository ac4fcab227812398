// What a program made by kzoo.bio.engines.standalone reads and writes. Every file of the program includes this first.
//
// Input: records on stdin, each a count and the bytes of an element as two int64, then the elements, in the order in
// which standalone.py writes them. Output: such records on stdout. Messages go to stderr.
#pragma once
// Those of the standard library that Brian2's files include too: compiled once for all of them.
#include <algorithm>
#include <chrono>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#ifdef __linux__
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>
#endif

namespace kzoo {

// The number of neurons: needed before main, by the sizes of Brian2's arrays.
inline int from_environment(const char *name) {
    const char *text = std::getenv(name);
    return text ? std::atoi(text) : 1;
}
inline const int size = from_environment("KZOO_SIZE");

[[noreturn]] inline void fail(const char *what) {
    std::fprintf(stderr, "kzoo: %s\n", what);
    std::fflush(stderr);
    std::_Exit(3);
}

inline void start() {
#ifdef __linux__
    // Whoever started this process waits for it; where that one is killed, nobody will read the answer.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const char *parent = std::getenv("KZOO_PARENT");
    if (parent && std::atol(parent) != getppid()) fail("whoever started this process is gone");
#endif
    std::cout.rdbuf(std::cerr.rdbuf());
}

inline void take(void *to, size_t bytes) {
    if (bytes && std::fread(to, 1, bytes, stdin) != bytes) fail("the input ended early");
}

inline int64_t head(size_t width) {
    int64_t found[2];
    take(found, sizeof found);
    if (found[1] != static_cast<int64_t>(width)) fail("a record has elements of another size");
    return found[0];
}

template <class T> void read(T *to, int64_t count) {
    if (head(sizeof(T)) != count) fail("a record has another length");
    take(to, count * sizeof(T));
}

template <class T> void read(std::vector<T> &to) {
    to.resize(head(sizeof(T)));
    take(to.data(), to.size() * sizeof(T));
}

template <class T> T number() {
    T found;
    read(&found, 1);
    return found;
}

// From where each neuron's synapses begin, to the neuron of each synapse.
inline void read_sources(std::vector<int32_t> &sources) {
    std::vector<int64_t> first;
    read(first);
    sources.resize(first.back());
    for (size_t i = 0; i + 1 < first.size(); i++)
        std::fill(sources.begin() + first[i], sources.begin() + first[i + 1], static_cast<int32_t>(i));
}

template <class T> void write(const T *from, int64_t count) {
    const int64_t record[2] = {count, static_cast<int64_t>(sizeof(T))};
    std::fwrite(record, sizeof record, 1, stdout);
    if (count) std::fwrite(from, sizeof(T), count, stdout);
}

inline double dt = 0.0;  // seconds
inline int64_t steps = 0;
inline int64_t step_at(double t) { return static_cast<int64_t>(t / dt + 0.5); }

// Currents from outside, (steps, columns).
inline std::vector<double> currents;
inline int64_t columns = 0;
inline void read_currents() {
    columns = number<int64_t>();
    read(currents);
    if (static_cast<int64_t>(currents.size()) != columns * steps) fail("the currents have another length");
}
inline double current(double t, int32_t column) {
    return currents[std::min(step_at(t), steps - 1) * columns + column];
}

// Poisson spikes: see plan.Drive.
inline uint64_t key = 0;
inline std::vector<int64_t> table_first;
inline std::vector<double> tables;
inline void read_drive() {
    key = number<uint64_t>();
    read(table_first);
    read(tables);
}
inline double kicks(int32_t kind, double t, int32_t i) {
    if (kind < 0) return 0.0;
    uint64_t x = key + static_cast<uint64_t>(step_at(t) * size + i + 1) * 0x9E3779B97F4A7C15ull;
    x ^= x >> 30;
    x *= 0xBF58476D1CE4E5B9ull;
    x ^= x >> 27;
    x *= 0x94D049BB133111EBull;
    x ^= x >> 31;
    const double uniform = static_cast<double>(x >> 11);
    const double *from = tables.data() + table_first[kind], *to = tables.data() + table_first[kind + 1];
    if (to - from > 32) return static_cast<double>(std::upper_bound(from, to, uniform) - from);
    const double *at = from;
    while (uniform >= *at) ++at;
    return static_cast<double>(at - from);
}

// Voltages at the starts of the steps.
inline std::vector<int32_t> traced;
inline std::vector<double> trace;
inline void note(const double *v) {
    for (int32_t i : traced) trace.push_back(v[i]);
}

// Says how far the simulation is, once a second.
inline void step_done() {
    static int64_t done = 0;
    static auto said = std::chrono::steady_clock::now();
    if (++done % 64) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - said < std::chrono::seconds(1)) return;
    said = now;
    std::fprintf(stderr, "kzoo: at %d %%\n", static_cast<int>(100 * done / steps));
}

[[noreturn]] inline void end() {
    if (std::fflush(stdout) != 0) fail("the answer could not be written");
    std::_Exit(0);
}

}  // namespace kzoo
