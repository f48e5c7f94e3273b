/* Threads that wait for work, and share what a kernel has to do: see backend/pool.py. */
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
typedef void (*work_t)(char**, const long*, long, long);
enum { MOST = 64, PIECE = 1 << 14, AWAKE = 400000, ARGUMENTS = 16 };      /* AWAKE: nanoseconds */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, busy = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;
static int (*ask)(void), fixed = 1, started, active;
static unsigned long round_;
static __thread int seat;                                 /* of a job's threads: 0 has who asks for it */
static struct { work_t work; char** a; const long* s; long count, piece; int seats; fenv_t env; } job;     /* seats: 0 once it is over */
static struct { long next, end; char apart[48]; } shares[MOST] __attribute__((aligned(64)));                /* of a job's pieces, by seat */

/* Each thread does its own share first, which is the same in every job over as many numbers: they may still be in the cache of its
   core, and to fetch them from another core's can take as long as from memory. Then it helps the others with theirs. */
static void take(int seats) {
    for (int i = 0; i < seats; i++) {
        const int whose = (seat + i) % seats;
        for (long k; (k = __atomic_fetch_add(&shares[whose].next, 1, __ATOMIC_RELAXED)) < shares[whose].end;) {
            const long from = k * job.piece;
            job.work(job.a, job.s, from, job.count - from < job.piece ? job.count : from + job.piece);
        }
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

static void* helper(void* number) {
    unsigned long seen = 0;
    seat = (long)number;
    pthread_mutex_lock(&lock);
    for (;;) {
        if (seen == round_) WATCH(__atomic_load_n(&round_, __ATOMIC_RELAXED) == seen);
        while (seen == round_ || seat >= job.seats) {
            if (seat >= job.seats) seen = round_;
            pthread_cond_wait(&wake, &lock);
        }
        const int seats = job.seats;
        seen = round_, active++;
        fesetenv(&job.env);                               /* subnormals as the one that asks has them */
        pthread_mutex_unlock(&lock);
        take(seats);
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
    while (started < wanted && !pthread_create(&thread, &attributes, helper, (void*)(started + 1L))) started++;
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, 0);
}

long available(void) {
    int threads = fixed > 0 ? fixed : ask ? ask() : 1;
    return threads > MOST ? MOST : threads;
}

static void spread(work_t work, char** a, const long* s, long count, long piece, int threads) {
    if (threads < 2 || pthread_mutex_trylock(&busy)) { work(a, s, 0, count); return; }
    pthread_mutex_lock(&lock);
    start(threads - 1);
    const int seats = started < threads - 1 ? started + 1 : threads;
    const long pieces = (count + piece - 1) / piece;
    job.work = work, job.a = a, job.s = s, job.count = count, job.piece = piece, job.seats = seats;
    for (int i = 0; i < seats; i++) shares[i].next = pieces * i / seats, shares[i].end = pieces * (i + 1) / seats;
    fegetenv(&job.env);
    __atomic_store_n(&round_, round_ + 1, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
    take(seats);
    pthread_mutex_lock(&lock);
    job.seats = 0;
    if (active) WATCH(__atomic_load_n(&active, __ATOMIC_RELAXED));
    while (active) pthread_cond_wait(&done, &lock);
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&busy);
}

void share(work_t work, char** a, const long* s, long count) { spread(work, a, s, count, PIECE, available()); }

/* The function on each of the lists of `width` arguments. In place of argument `room`, if there is one, it is given that of its
   thread. The caller is the one who takes arguments from the stack, so that more than a function knows of do no harm. */
typedef void (*function_t)(long, long, long, long, long, long, long, long, long, long, long, long, long, long, long, long);
typedef struct { function_t function; const long* lists; long width, count, room; const long* rooms; } calls_t;
static void call(char** calls, const long* unused, long from, long to) {
    const calls_t* c = (const calls_t*)calls;
    for (long k = from; k < to; k++) {
        long a[ARGUMENTS] = {0};
        for (long i = 0; i < c->width; i++) a[i] = c->lists[k * c->width + i];
        if (c->room >= 0) a[c->room] = c->rooms[seat];
        c->function(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15]);
    }
}
void calls(function_t* function, const long* lists, long width, long count, long room, const long* rooms, long threads) {
    calls_t c = {*function, lists, width, count, room, rooms};
    spread(call, (char**)&c, 0, count, 1, threads);
}

static void child(void) {
    pthread_mutex_init(&lock, 0), pthread_mutex_init(&busy, 0);
    pthread_cond_init(&wake, 0), pthread_cond_init(&done, 0);
    started = job.seats = active = 0;
}

void choose(int threads, int (*question)(void)) {
    static int registered;
    if (!registered++) pthread_atfork(0, 0, child);
    fixed = threads, ask = question;
}
