// SPDX-License-Identifier: GPL-3.0-or-later
//
// The limit that every DNS server on this kernel is measured against: recvmmsg, set one bit,
// sendmmsg, with the socket options of our own workers and nothing else.
//
// Usage: echo ADDRESS:PORT        serves until it is ended by a signal
#include "net/socket.h"
#include "net/udp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH_MAX = UDP_BATCH_MAX, SLOT_SIZE = 2048, SLOT_STRIDE = SLOT_SIZE + 64 };

static struct mmsghdr messages[BATCH_MAX];
static struct iovec parts[BATCH_MAX];
static struct sockaddr_storage peers[BATCH_MAX];
static unsigned char slots[BATCH_MAX][SLOT_STRIDE];

static void serve(int fd)
{
    for (;;) {
        int count = recvmmsg(fd, messages, BATCH_MAX, MSG_WAITFORONE, NULL);
        for (int i = 0; i < count; i++) {
            slots[i][2] |= 0x80;
            parts[i].iov_len = messages[i].msg_len;
        }
        for (int at = 0; at < count;) {
            int sent = sendmmsg(fd, messages + at, (unsigned)(count - at), 0);
            at += sent > 0 ? sent : 1;
        }
        for (int i = 0; i < count; i++) {
            parts[i].iov_len = SLOT_SIZE;
            messages[i].msg_hdr.msg_namelen = sizeof(peers[i]);
        }
    }
}

int main(int argc, char **argv)
{
    struct endpoint endpoint;
    if (argc != 2 || !endpoint_parse(argv[1], false, &endpoint.address, &endpoint.port)) {
        fprintf(stderr, "usage: echo ADDRESS:PORT\n");
        return 2;
    }
    int fd = socket_bind(&endpoint, TRANSPORT_UDP, SOCKET_SERVE);
    // Our workers sleep in epoll; with one socket and nothing else, a blocking read is the least.
    if (fd < 0 || fcntl(fd, F_SETFL, 0) < 0) {
        fprintf(stderr, "echo: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    for (int i = 0; i < BATCH_MAX; i++) {
        parts[i] = (struct iovec){slots[i], SLOT_SIZE};
        messages[i].msg_hdr = (struct msghdr){.msg_name = &peers[i],
                                              .msg_namelen = sizeof(peers[i]),
                                              .msg_iov = &parts[i],
                                              .msg_iovlen = 1};
    }
    serve(fd);
}
