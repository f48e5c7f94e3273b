/* Threads that wait for work, and share what a kernel has to do: see backend/pool.py. */
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
typedef void (*work_t)(char**, const long*, long, long);
enum { MOST = 64, PIECE = 1 << 14, AWAKE = 400000 };             /* AWAKE: nanoseconds */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, busy = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;
static int (*ask)(void), fixed = 1, started, seats, active;
static unsigned long round_;
static struct { work_t work; char** a; const long* s; long next, count, piece; fenv_t env; } job;

static void take(void) {
    for (;;) {
        long from = __atomic_fetch_add(&job.next, job.piece, __ATOMIC_RELAXED);
        if (from >= job.count) return;
        job.work(job.a, job.s, from, job.count - from < job.piece ? job.count : from + job.piece);
    }
}

/* To wake a thread that sleeps takes some 50 microseconds: so each waits for a while with open eyes, and lets others go first. */
#define WATCH(waiting) do { \
    long end = now() + AWAKE; \
    pthread_mutex_unlock(&lock); \
    while ((waiting) && now() < end) sched_yield(); \
    pthread_mutex_lock(&lock); \
} while (0)
static long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void* helper(void* unused) {
    unsigned long seen = 0;
    pthread_mutex_lock(&lock);
    for (;;) {
        if (seen == round_) WATCH(__atomic_load_n(&round_, __ATOMIC_RELAXED) == seen);
        while (seen == round_ || !seats) {
            if (!seats) seen = round_;
            pthread_cond_wait(&wake, &lock);
        }
        seen = round_, seats--, active++;
        fesetenv(&job.env);                               /* subnormals as the one that asks has them */
        pthread_mutex_unlock(&lock);
        take();
        pthread_mutex_lock(&lock);
        if (__atomic_sub_fetch(&active, 1, __ATOMIC_RELAXED) == 0) pthread_cond_signal(&done);
    }
    return 0;
}

static void start(int wanted) {
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);          /* signals are for Python's own thread */
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    while (started < wanted && !pthread_create(&thread, &attributes, helper, 0)) started++;
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, 0);
}

void share(work_t work, char** a, const long* s, long count) {
    int threads = fixed > 0 ? fixed : ask ? ask() : 1;
    if (threads > MOST) threads = MOST;
    if (threads < 2 || pthread_mutex_trylock(&busy)) { work(a, s, 0, count); return; }
    pthread_mutex_lock(&lock);
    start(threads - 1);
    job.work = work, job.a = a, job.s = s, job.next = 0, job.count = count, job.piece = PIECE;
    fegetenv(&job.env);
    __atomic_store_n(&round_, round_ + 1, __ATOMIC_RELAXED);
    seats = started < threads - 1 ? started : threads - 1;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
    take();
    pthread_mutex_lock(&lock);
    seats = 0;
    if (active) WATCH(__atomic_load_n(&active, __ATOMIC_RELAXED));
    while (active) pthread_cond_wait(&done, &lock);
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&busy);
}

static void child(void) {
    pthread_mutex_init(&lock, 0), pthread_mutex_init(&busy, 0);
    pthread_cond_init(&wake, 0), pthread_cond_init(&done, 0);
    started = seats = active = 0;
}

void choose(int threads, int (*question)(void)) {
    static int registered;
    if (!registered++) pthread_atfork(0, 0, child);
    fixed = threads, ask = question;
}
