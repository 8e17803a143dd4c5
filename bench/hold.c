#include "hold.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ends.h"

enum { MESSAGE_LEN = 64, RECORD_LEN = 16384, TALK = 8 };
enum { FILL_MAX = 1 << 18 }; /* bytes a connection, should it not be full by then */

struct held {
    struct client c;
    int           unread; /* bytes that were sent and did not come back */
    int           at;     /* in the message that is being sent */
    bool          begun;  /* OpenSSL has a record that it has not sent whole, and wants the same call again */
};

struct held *hold(const struct target *target, unsigned n)
{
    struct held *all = calloc(n + 1, sizeof *all);
    if (all == NULL)
        die("out of memory");
    for (unsigned i = 0; i < n; i++)
        client_join(&all[i].c, target, i, NULL);
    return all;
}

static void round_trip(const struct client *c, size_t len)
{
    unsigned char bytes[RECORD_LEN];
    publish(bytes, len);
    client_send(c, bytes, len);
    for (size_t done = 0; done < len;)
        done += client_receive(c, bytes, len - done);
}

static void talk(const struct held *all, unsigned n)
{
    for (unsigned i = 0; i < n * TALK; i++)
        round_trip(&all[i / TALK].c, i % 4 == 0 ? RECORD_LEN : MESSAGE_LEN);
}

static void set_blocking(const struct client *c, bool blocks)
{
    int flags = fcntl(c->fd, F_GETFL);
    if (fcntl(c->fd, F_SETFL, blocks ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) != 0)
        die("fcntl");
}

/* What a call that was to move bytes over a connection that does not block returned: whether it did. */
static bool has_moved(const struct client *c, int n)
{
    int why = n > 0             ? SSL_ERROR_NONE
              : c->ssl != NULL  ? SSL_get_error(c->ssl, n)
              : errno == EAGAIN ? SSL_ERROR_WANT_READ
                                : SSL_ERROR_SYSCALL;
    if (why != SSL_ERROR_NONE && why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        die("a connection was lost");
    return n > 0;
}

static bool put_in(struct held *h)
{
    static unsigned char message[RECORD_LEN];
    if (message[0] == 0)
        publish(message, sizeof message);
    int  left = RECORD_LEN - h->at;
    int  n = h->c.ssl != NULL ? SSL_write(h->c.ssl, message + h->at, left)
                              : (int)send(h->c.fd, message + h->at, (size_t)left, MSG_NOSIGNAL);
    bool moved = has_moved(&h->c, n);
    h->begun = !moved && h->c.ssl != NULL;
    h->unread += moved ? n : 0;
    h->at = (h->at + (moved ? n : 0)) % RECORD_LEN;
    return moved;
}

static bool take_out(struct held *h)
{
    char bytes[RECORD_LEN];
    int  n = h->c.ssl != NULL ? SSL_read(h->c.ssl, bytes, sizeof bytes) : (int)recv(h->c.fd, bytes, sizeof bytes, 0);
    bool moved = has_moved(&h->c, n);
    h->unread -= moved ? n : 0;
    return moved;
}

/* Until nothing has moved for a while: the proxy is behind at first. */
static void fill(struct held *all, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        set_blocking(&all[i].c, false);
    for (bool moved = true; moved;) {
        moved = false;
        for (unsigned i = 0; i < n; i++) {
            while (all[i].unread < FILL_MAX && put_in(&all[i]))
                moved = true;
        }
        (void)poll(NULL, 0, 300);
    }
}

static void empty(struct held *all, unsigned n)
{
    for (unsigned left = n; left > 0;) {
        bool moved = false;
        left = 0;
        for (unsigned i = 0; i < n; i++) {
            struct held *h = &all[i];
            moved |= h->begun && put_in(h);
            moved |= h->unread > 0 && take_out(h);
            left += h->unread > 0 || h->begun;
        }
        if (!moved)
            (void)poll(NULL, 0, 1);
    }
    for (unsigned i = 0; i < n; i++)
        set_blocking(&all[i].c, true);
}

void hold_and_listen(const struct target *target, unsigned n)
{
    struct held *all = hold(target, n);
    say("held");
    for (char line[16]; fgets(line, sizeof line, stdin) != NULL;) {
        if (strcmp(line, "talk\n") == 0) {
            talk(all, n);
            say("talked");
        } else if (strcmp(line, "fill\n") == 0) {
            fill(all, n);
            say("filled");
        } else if (strcmp(line, "empty\n") == 0) {
            empty(all, n);
            say("emptied");
        }
    }
}
