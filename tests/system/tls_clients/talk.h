/* A conversation with an echo server over TLS, for clients in C: HOST PORT CA-FILE SERVER-NAME VERSION ROUNDS. The file
 * that includes this says how bytes go out and come in, all of them or the program ends. */
#ifndef MQGATE_TESTS_TALK_H
#define MQGATE_TESTS_TALK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 40000 };

static void must(int holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

void put_all(const unsigned char *bytes, int len);
void get_all(unsigned char *bytes, int len);

static void talk(int rounds)
{
    static unsigned char said[MESSAGE_MAX], heard[MESSAGE_MAX];
    for (int round = 0; round < rounds; round++) {
        int len = 1 + (round * 977) % MESSAGE_MAX;
        for (int i = 0; i < len; i++)
            said[i] = (unsigned char)((i * 31 + round) % 251);
        put_all(said, len);
        get_all(heard, len);
        must(memcmp(said, heard, (size_t)len) == 0, "something else");
    }
}

#endif
