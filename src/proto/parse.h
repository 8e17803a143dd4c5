/* proto/parse.h: the three answers of every parser in this room. */
#ifndef MQGATE_PROTO_PARSE_H
#define MQGATE_PROTO_PARSE_H

enum parse {
    PARSE_OK,   /* outputs are filled; *used bytes belong to what was read */
    PARSE_MORE, /* a prefix of something good: call again with more bytes; outputs untouched */
    PARSE_BAD   /* no bytes to come can make it good; outputs untouched */
};

#endif
