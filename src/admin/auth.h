/* admin/auth.h: passwords checked against crypt(3) hashes in a thread of their own: a hash is slow on purpose, and the
 * main loop must answer health meanwhile. */
#ifndef MQGATE_ADMIN_AUTH_H
#define MQGATE_ADMIN_AUTH_H

#include <crypt.h>
#include <ev.h>

#include "admin/basic.h"
#include "base/err.h"
#include "conf/model.h"

enum { AUTH_WAITING_MAX = 64 }; /* jobs, beside the one at work */

struct auth_job {
    struct auth_job   *prev, *next;
    struct credentials given;                   /* wiped when the job is done */
    char               hash[CRYPT_OUTPUT_SIZE]; /* a copy: a reload may free the configuration meanwhile */
    bool               user_exists;
    bool               matches; /* the answer */
};

/* Chooses the hash that job->given has to match. users are "user:hash", at least one. */
void auth_job_prepare(struct auth_job *job, const struct conf_strings *users);
/* Sets job->matches and wipes what was given. Takes as long for a user who does not exist as for the first of users.
 * This is what the thread does. */
void auth_job_work(struct auth_job *job, struct crypt_data *scratch);

struct auth;

/* Starts the thread. done is called in the loop's thread. NULL and *err on failure. */
struct auth *auth_open(struct ev_loop *loop, void (*done)(struct auth_job *job), struct err *err);
/* False: AUTH_WAITING_MAX jobs wait already. Otherwise job stays the caller's, untouched until done(job). */
bool auth_ask(struct auth *auth, struct auth_job *job) MUST_CHECK;
/* Waits for the hash at work; calls done, matches = false, for jobs not begun. NULL is fine. */
void auth_close(struct auth *auth);

#endif
