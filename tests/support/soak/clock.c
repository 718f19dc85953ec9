/* A clock that runs faster, for every process that is started with this library in LD_PRELOAD.
 *
 * SOAK_CLOCK="<rate> <monotonic> <epoch>": at that reading of the machine's CLOCK_MONOTONIC (in seconds) the wall
 * clock shows that epoch, the machine's own then; from there all clocks run `rate` times faster, and every wait is shorter by as much. It
 * keeps nothing but these three numbers, so that every process of a soak, whenever it starts, has the same time, and
 * one that is killed leaves nothing locked. The times of files are shown on the same clock.
 *
 * Debian's libfaketime (0.9.10) does not do here: Python 3.11 waits with sem_clockwait, which it leaves alone, so a
 * wait of a minute takes an hour; and a child begins at the epoch again, an hour before its parent.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static double rate = 1, origin, epoch;

__attribute__((constructor)) static void begin(void) {
  const char *text = getenv("SOAK_CLOCK");
  if (!text || sscanf(text, "%lf %lf %lf", &rate, &origin, &epoch) != 3) rate = 0;
}

static double seconds(const struct timespec *at) { return at->tv_sec + at->tv_nsec / 1e9; }

static struct timespec spec(double at) {
  struct timespec made;
  if (at < 0) at = 0;
  made.tv_sec = (time_t)at;
  made.tv_nsec = (long)((at - (double)made.tv_sec) * 1e9);
  return made;
}

static double machine(clockid_t clock) {
  struct timespec at;
  syscall(SYS_clock_gettime, clock, &at);
  return seconds(&at);
}

static int is_wall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

static double shown(clockid_t clock) {
  double passed = machine(CLOCK_MONOTONIC) - origin;
  if (is_wall(clock)) return epoch + rate * passed;
  return rate * (passed + 1000); /* monotonic and boot time, from the same origin */
}

/* When, on the machine's clock, a deadline is reached that this clock shows. */
static struct timespec deadline(clockid_t clock, const struct timespec *at) {
  return spec(machine(clock) + (seconds(at) - shown(clock)) / rate);
}

static int is_ours(clockid_t clock) {
  return rate && clock != CLOCK_PROCESS_CPUTIME_ID && clock != CLOCK_THREAD_CPUTIME_ID;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  if (!is_ours(clock) || clock < 0) return (int)syscall(SYS_clock_gettime, clock, at);
  *at = spec(shown(clock));
  return 0;
}

int gettimeofday(struct timeval *at, void *zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

int timespec_get(struct timespec *at, int base) {
  clock_gettime(CLOCK_REALTIME, at);
  return base;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}

#define REAL(name, ...) ((int (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wait, struct timespec *left) {
  static int (*real)(clockid_t, int, const struct timespec *, struct timespec *);
  if (!real) real = REAL(clock_nanosleep, clockid_t, int, const struct timespec *, struct timespec *);
  if (!is_ours(clock)) return real(clock, flags, wait, left);
  struct timespec until = (flags & TIMER_ABSTIME) ? deadline(clock, wait) : spec(seconds(wait) / rate);
  int answer = real(clock, flags, &until, left);
  if (answer && left && !(flags & TIMER_ABSTIME)) *left = spec(seconds(left) * rate);
  return answer;
}

int nanosleep(const struct timespec *wait, struct timespec *left) {
  int answer = clock_nanosleep(CLOCK_MONOTONIC, 0, wait, left);
  if (answer) errno = answer;
  return answer ? -1 : 0;
}

int usleep(useconds_t wait) {
  struct timespec until = spec(wait / 1e6);
  return nanosleep(&until, NULL);
}

unsigned sleep(unsigned wait) {
  struct timespec until = spec(wait), left = {0, 0};
  return nanosleep(&until, &left) ? (unsigned)left.tv_sec + 1 : 0;
}

/* A wait in milliseconds; a short one is still a wait. */
static int shorter(int wait) { return rate && wait > 0 ? (int)(wait / rate) + 1 : wait; }

int poll(struct pollfd *ends, nfds_t count, int wait) {
  struct timespec until = spec(wait / 1e3 / (rate ? rate : 1));
  return (int)syscall(SYS_ppoll, ends, count, wait < 0 ? NULL : &until, NULL, 8);
}

int ppoll(struct pollfd *ends, nfds_t count, const struct timespec *wait, const sigset_t *mask) {
  static int (*real)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
  if (!real) real = REAL(ppoll, struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
  struct timespec until = spec(wait ? seconds(wait) / (rate ? rate : 1) : 0);
  return real(ends, count, wait ? &until : NULL, mask);
}

int epoll_wait(int set, struct epoll_event *events, int most, int wait) {
  return (int)syscall(SYS_epoll_pwait, set, events, most, shorter(wait), NULL, 8);
}

int select(int most, fd_set *in, fd_set *out, fd_set *other, struct timeval *wait) {
  struct timespec until = spec(wait ? (wait->tv_sec + wait->tv_usec / 1e6) / (rate ? rate : 1) : 0);
  return pselect(most, in, out, other, wait ? &until : NULL, NULL); /* the machine's own */
}

int sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *at) {
  static int (*real)(sem_t *, clockid_t, const struct timespec *);
  if (!real) real = REAL(sem_clockwait, sem_t *, clockid_t, const struct timespec *);
  struct timespec until = rate ? deadline(clock, at) : *at;
  return real(sem, clock, &until);
}

int sem_timedwait(sem_t *sem, const struct timespec *at) { return sem_clockwait(sem, CLOCK_REALTIME, at); }

int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *lock, clockid_t clock, const struct timespec *at) {
  static int (*real)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
  if (!real) real = REAL(pthread_cond_clockwait, pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
  struct timespec until = rate ? deadline(clock, at) : *at;
  return real(cond, lock, clock, &until);
}

/* The clock of a condition is in its attributes; no monotonic clock of a soak comes near an epoch. */
int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *at) {
  return pthread_cond_clockwait(cond, lock, at->tv_sec > 1000000000 ? CLOCK_REALTIME : CLOCK_MONOTONIC, at);
}

/* Of files: what the machine's clock said is what this clock showed at that moment. */
static int aged(int answer, struct stat64 *file) {
  struct timespec *times[] = {&file->st_atim, &file->st_mtim, &file->st_ctim};
  for (int i = 0; !answer && rate && i < 3; i++) {
    long double at = times[i]->tv_sec + times[i]->tv_nsec / 1e9L, shown = epoch + rate * (at - epoch);
    times[i]->tv_sec = (time_t)shown;
    times[i]->tv_nsec = (long)((shown - times[i]->tv_sec) * 1e9L);
  }
  return answer;
}

int fstatat64(int folder, const char *path, struct stat64 *file, int flags) {
  static int (*real)(int, const char *, struct stat64 *, int);
  if (!real) real = REAL(fstatat64, int, const char *, struct stat64 *, int);
  return aged(real(folder, path, file, flags), file);
}

int fstat64(int file, struct stat64 *facts) { return fstatat64(file, "", facts, AT_EMPTY_PATH); }
int stat64(const char *path, struct stat64 *file) { return fstatat64(AT_FDCWD, path, file, 0); }
int lstat64(const char *path, struct stat64 *file) { return fstatat64(AT_FDCWD, path, file, AT_SYMLINK_NOFOLLOW); }
