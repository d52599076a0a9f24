/* Shared by the load generators: the clocks, and log-linear histograms of microseconds, 64 steps in each power of two. */
#include <stdint.h>
#include <sys/resource.h>
#include <time.h>

enum { BUCKETS = 4096 };

static uint64_t histogram[BUCKETS];

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* User and system time of this process. */
static inline double cpu_seconds(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static int bucket_of(uint64_t us) {
    if (us < 64) return (int)us;
    int power = 63 - __builtin_clzll(us);
    int bucket = (power - 5) * 64 + (int)((us >> (power - 6)) - 64);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static double bucket_value(int bucket) {
    if (bucket < 64) return bucket;
    int power = bucket / 64 + 5;
    return (double)((uint64_t)(64 + bucket % 64) << (power - 6));
}

static double percentile_in(const uint64_t *counts, double share) {
    uint64_t total = 0, seen = 0;
    for (int i = 0; i < BUCKETS; i++) total += counts[i];
    for (int i = 0; i < BUCKETS; i++) {
        seen += counts[i];
        if (total > 0 && (double)seen >= share * (double)total) return bucket_value(i);
    }
    return 0;
}

static inline double percentile(double share) {
    return percentile_in(histogram, share);
}
