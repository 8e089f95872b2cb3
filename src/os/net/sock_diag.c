#include "os/net/sock_diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"

/* RTA_NEXT() and RTA_DATA() of <linux/rtnetlink.h> lose const. */
#define RTA_NEXT_CONST(attribute, left)                                                                                \
        ((left) -= (int)RTA_ALIGN((attribute)->rta_len),                                                               \
         (const struct rtattr *)(const void *)((const char *)(attribute) + RTA_ALIGN((attribute)->rta_len)))
#define RTA_DATA_CONST(attribute) ((const void *)((const char *)(attribute) + RTA_LENGTH(0)))
#define NLMSG_DATA_CONST(message) ((const void *)((const char *)(message) + NLMSG_HDRLEN))

typedef void (*handle_message)(const struct nlmsghdr *message, void *context);

/* Send one request and pass every answer to `handle`. 0, or -errno, including an error that the kernel answers with. */
static int ask(const void *request, size_t length, handle_message handle, void *context)
{
        _cleanup_(fd_closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
        _Alignas(struct nlmsghdr) char answer[16384];

        if (fd < 0 || send(fd, request, length, 0) < 0)
                return -errno;
        for (;;) {
                ssize_t received = recv(fd, answer, sizeof(answer), 0);
                if (received < 0)
                        return -errno;
                int left = (int)received;
                for (struct nlmsghdr *message = (struct nlmsghdr *)answer; NLMSG_OK(message, (unsigned)left);
                     message = NLMSG_NEXT(message, left)) {
                        if (message->nlmsg_type == NLMSG_DONE)
                                return 0;
                        if (message->nlmsg_type == NLMSG_ERROR)
                                return ((struct nlmsgerr *)NLMSG_DATA(message))->error;
                        handle(message, context);
                        if (!(message->nlmsg_flags & NLM_F_MULTI))
                                return 0;
                }
        }
}

struct unix_answer {
        struct sock_diag_unix socket;
        bool known;
};

static void read_unix_answer(const struct nlmsghdr *message, void *context)
{
        const struct unix_diag_msg *diag = NLMSG_DATA_CONST(message);
        struct unix_answer *answer = context;
        int left = (int)message->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*diag));

        for (const struct rtattr *attribute = (const struct rtattr *)(diag + 1); RTA_OK(attribute, left);
             attribute = RTA_NEXT_CONST(attribute, left)) {
                struct unix_diag_rqlen lengths;
                struct unix_diag_vfs file;
                if (attribute->rta_type == UNIX_DIAG_RQLEN && RTA_PAYLOAD(attribute) >= sizeof(lengths)) {
                        memcpy(&lengths, RTA_DATA_CONST(attribute), sizeof(lengths));
                        answer->socket.queued = lengths.udiag_rqueue;
                        answer->socket.backlog = lengths.udiag_wqueue;
                        answer->known = true;
                } else if (attribute->rta_type == UNIX_DIAG_VFS && RTA_PAYLOAD(attribute) >= sizeof(file)) {
                        memcpy(&file, RTA_DATA_CONST(attribute), sizeof(file));
                        answer->socket.path_inode = file.udiag_vfs_ino;
                }
        }
}

int sock_diag_unix(int fd, struct sock_diag_unix *ret)
{
        struct {
                struct nlmsghdr header;
                struct unix_diag_req request;
        } question = {
                .header = {.nlmsg_len = sizeof(question),
                           .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                           .nlmsg_flags = NLM_F_REQUEST},
                .request = {.sdiag_family = AF_UNIX,
                            .udiag_states = UINT32_MAX,
                            .udiag_show = UDIAG_SHOW_RQLEN | UDIAG_SHOW_VFS,
                            .udiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
        };
        struct unix_answer answer = {0};
        struct stat status;

        if (fstat(fd, &status) < 0)
                return -errno;
        question.request.udiag_ino = (uint32_t)status.st_ino;
        int r = ask(&question, sizeof(question), read_unix_answer, &answer);
        if (r < 0)
                return r;
        if (!answer.known)
                return -ENOENT;
        *ret = answer.socket;
        return 0;
}

struct half_open_answer {
        unsigned port;
        uint32_t count;
};

static void count_half_open(const struct nlmsghdr *message, void *context)
{
        const struct inet_diag_msg *diag = NLMSG_DATA_CONST(message);
        struct half_open_answer *answer = context;

        answer->count += ntohs(diag->id.idiag_sport) == answer->port;
}

int sock_diag_half_open(int family, unsigned port, uint32_t *ret)
{
        struct {
                struct nlmsghdr header;
                struct inet_diag_req_v2 request;
        } question = {
                .header = {.nlmsg_len = sizeof(question),
                           .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                           .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
                .request = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1U << TCP_SYN_RECV},
        };
        struct half_open_answer answer = {.port = port};
        int r = 0;

        /* A dual-stack listener has half-open connections of both families. */
        question.request.id.idiag_sport = htons((in_port_t)port);
        r = ask(&question, sizeof(question), count_half_open, &answer);
        if (r == 0 && family == AF_INET6) {
                question.request.sdiag_family = AF_INET6;
                r = ask(&question, sizeof(question), count_half_open, &answer);
        }
        if (r == 0)
                *ret = answer.count;
        return r;
}
