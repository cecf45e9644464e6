/* Sends datagrams with a source address of its choosing at a steady rate: flood SOURCE DESTINATION PORT RATE SECONDS
 * Reads the payload (an INVITE; "%08u" in it becomes the number) from stdin; prints how many left. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 20, LONGEST = 1400 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int count, char **words)
{
    if (count != 6) {
        fprintf(stderr, "usage: flood SOURCE DESTINATION PORT RATE SECONDS <payload\n");
        return 2;
    }
    static char packets[BATCH][LONGEST], payload[LONGEST - 28];
    size_t length = fread(payload, 1, sizeof payload, stdin);
    char *mark = memmem(payload, length, "%08u", 4);
    double rate = atof(words[4]), seconds = atof(words[5]);
    int handle = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    if (handle < 0) {
        perror("raw socket");
        return 1;
    }
    struct sockaddr_in to = {.sin_family = AF_INET};
    to.sin_addr.s_addr = inet_addr(words[2]);
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
    memset(messages, 0, sizeof messages);
    /* "%08u" is four bytes and its number eight: the rest of the payload moves up by four. */
    size_t whole = 28 + length + (mark ? 4 : 0), head = mark ? (size_t)(mark - payload) : length;
    for (int i = 0; i < BATCH; i++) {
        struct iphdr *ip = (struct iphdr *)packets[i];
        ip->version = 4, ip->ihl = 5, ip->ttl = 60, ip->protocol = IPPROTO_UDP;
        ip->tot_len = htons(whole), ip->saddr = inet_addr(words[1]), ip->daddr = to.sin_addr.s_addr;
        struct udphdr *udp = (struct udphdr *)(packets[i] + 20);
        udp->source = udp->dest = htons(atoi(words[3])), udp->len = htons(whole - 20);
        memcpy(packets[i] + 28, payload, head);
        if (mark)
            memcpy(packets[i] + 28 + head + 8, mark + 4, length - head - 4);
        pieces[i] = (struct iovec){packets[i], whole};
        messages[i].msg_hdr = (struct msghdr){&to, sizeof to, &pieces[i], 1, NULL, 0, 0};
    }
    unsigned number = 0;
    double start = now(), due;
    while ((due = number / rate) < seconds) {
        double wait = start + due - now();
        if (wait > 0)
            usleep(wait * 1e6);
        for (int i = 0; mark && i < BATCH; i++) {
            char digits[9];
            snprintf(digits, sizeof digits, "%08u", (number + i) % 100000000u);
            memcpy(packets[i] + 28 + head, digits, 8);
        }
        int sent = sendmmsg(handle, messages, BATCH, 0);
        if (sent < 0) {
            perror("sendmmsg");
            return 1;
        }
        number += sent;
    }
    printf("%u %.3f\n", number, now() - start);
    return 0;
}
