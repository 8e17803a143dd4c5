#include "admin/auth.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/ct.h"
#include "engine/thread.h"

struct auth {
    struct ev_loop *loop;
    void (*done)(struct auth_job *job);
    ev_async          woken; /* something is in finished */
    pthread_t         thread;
    struct crypt_data scratch; /* the thread's; 32 KiB */
    pthread_mutex_t   lock;    /* of all that follows */
    pthread_cond_t    work;    /* waiting or stopping changed */
    struct auth_job  *waiting;
    unsigned          n_waiting;
    struct auth_job  *finished;
    bool              stopping;
};

static const char *hash_of(const char *entry, const char *user)
{
    const char *colon = strchr(entry, ':');
    if (colon == NULL)
        return NULL;
    return slice_eq(slice_of(entry, (size_t)(colon - entry)), slice_str(user)) ? colon + 1 : NULL;
}

static const char *find_hash(const struct conf_strings *users, const char *user)
{
    const char *hash = NULL;
    for (size_t i = 0; i < users->n && hash == NULL; i++)
        hash = hash_of(users->at[i], user);
    return hash;
}

void auth_job_prepare(struct auth_job *job, const struct conf_strings *users)
{
    const char *hash = find_hash(users, job->given.user);
    job->matches = false;
    job->user_exists = hash != NULL;
    if (hash == NULL) {
        const char *colon = strchr(users->at[0], ':');
        hash = colon != NULL ? colon + 1 : "";
    }
    size_t len = strlen(hash);
    if (len >= sizeof job->hash)
        len = 0; /* longer than any hash: nothing matches it */
    memcpy(job->hash, hash, len);
    job->hash[len] = '\0';
}

static bool hash_matches(const char *password, const char *hash, struct crypt_data *scratch)
{
    const char *made = crypt_r(password, hash, scratch);
    /* crypt(5): '*' begins what stands for a failure and is never part of a hash. */
    return made != NULL && made[0] != '*' && ct_equal(slice_str(made), slice_str(hash));
}

void auth_job_work(struct auth_job *job, struct crypt_data *scratch)
{
    bool matches = hash_matches(job->given.password, job->hash, scratch);
    job->matches = matches && job->user_exists;
    credentials_wipe(&job->given);
    explicit_bzero(scratch, sizeof *scratch);
}

/* The next job, or NULL when it is time to end. */
static struct auth_job *wait_for_job(struct auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    while (auth->waiting == NULL && !auth->stopping)
        pthread_cond_wait(&auth->work, &auth->lock);
    struct auth_job *job = auth->stopping ? NULL : auth->waiting;
    if (job != NULL) {
        DL_DELETE(auth->waiting, job);
        auth->n_waiting--;
    }
    pthread_mutex_unlock(&auth->lock);
    return job;
}

static void hand_back(struct auth *auth, struct auth_job *job)
{
    pthread_mutex_lock(&auth->lock);
    DL_APPEND(auth->finished, job);
    pthread_mutex_unlock(&auth->lock);
    ev_async_send(auth->loop, &auth->woken);
}

static void *auth_thread(void *arg)
{
    struct auth     *auth = arg;
    struct auth_job *job;
    while ((job = wait_for_job(auth)) != NULL) {
        auth_job_work(job, &auth->scratch);
        hand_back(auth, job);
    }
    return NULL;
}

/* Done jobs leave the list before done() is called, which may ask for another one. */
static void call_done(struct auth *auth, struct auth_job *jobs)
{
    struct auth_job *job, *next;
    DL_FOREACH_SAFE (jobs, job, next)
        auth->done(job);
}

static void on_woken(struct ev_loop *loop, ev_async *w, int revents)
{
    struct auth *auth = CONTAINER_OF(w, struct auth, woken);
    (void)loop, (void)revents;
    pthread_mutex_lock(&auth->lock);
    struct auth_job *jobs = auth->finished;
    auth->finished = NULL;
    pthread_mutex_unlock(&auth->lock);
    call_done(auth, jobs);
}

static void destroy(struct auth *auth)
{
    pthread_cond_destroy(&auth->work);
    pthread_mutex_destroy(&auth->lock);
    free(auth);
}

struct auth *auth_open(struct ev_loop *loop, void (*done)(struct auth_job *job), struct err *err)
{
    struct auth *auth = calloc(1, sizeof *auth);
    if (auth == NULL) {
        err_set(err, "out of memory");
        return NULL;
    }
    auth->loop = loop;
    auth->done = done;
    pthread_mutex_init(&auth->lock, NULL);
    pthread_cond_init(&auth->work, NULL);
    ev_async_init(&auth->woken, on_woken);
    ev_async_start(loop, &auth->woken);
    int errnum = thread_start(&auth->thread, "passwords", auth_thread, auth);
    if (errnum != 0) {
        err_system(err, errnum, "the password thread does not start");
        ev_async_stop(loop, &auth->woken);
        destroy(auth);
        return NULL;
    }
    return auth;
}

bool auth_ask(struct auth *auth, struct auth_job *job)
{
    pthread_mutex_lock(&auth->lock);
    bool room = auth->n_waiting < AUTH_WAITING_MAX;
    if (room) {
        DL_APPEND(auth->waiting, job);
        auth->n_waiting++;
        pthread_cond_signal(&auth->work);
    }
    pthread_mutex_unlock(&auth->lock);
    return room;
}

void auth_close(struct auth *auth)
{
    struct auth_job *job;
    if (auth == NULL)
        return;
    pthread_mutex_lock(&auth->lock);
    auth->stopping = true;
    pthread_cond_signal(&auth->work);
    pthread_mutex_unlock(&auth->lock);
    pthread_join(auth->thread, NULL);
    ev_async_stop(auth->loop, &auth->woken);
    DL_FOREACH (auth->waiting, job)
        credentials_wipe(&job->given);
    DL_CONCAT(auth->finished, auth->waiting);
    call_done(auth, auth->finished);
    destroy(auth);
}
