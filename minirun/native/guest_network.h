/* guest_network.h - the guest's network card: raised, given an address and a way out.
 *
 * By the old calls, ioctl(2) on a socket: three of them are all that one card
 * needs. netdevice(7), rtentry in route(7). Included by guest.c.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <net/route.h>

static int interface(int request, struct ifreq *what, const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strncpy(what->ifr_name, name, IFNAMSIZ - 1);
	int failed = ioctl(fd, request, what);
	close(fd);
	return failed;
}

static int op_up(char **word) /* interface */
{
	struct ifreq link = { .ifr_flags = IFF_UP };

	return interface(SIOCSIFFLAGS, &link, word[0]);
}

/* A card's carrier is told to the rest of the kernel within a second (link_watch.c), and
 * what is sent before that is lost. So it is up when the machine says that it is
 * ready, and a restored one does not wait at all. */
static void raise_card(void)
{
	struct ifreq card = { .ifr_flags = IFF_UP };

	if (interface(SIOCSIFFLAGS, &card, "eth0"))
		return; /* there is none */
	for (int tries = 0; tries < 2000; tries++) {
		if (!interface(SIOCGIFFLAGS, &card, "eth0") && card.ifr_flags & IFF_RUNNING)
			break;
		usleep(1000);
	}
	milestone("card");
}

static struct sockaddr inet(const char *text)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct sockaddr plain;

	inet_pton(AF_INET, text, &address.sin_addr);
	memcpy(&plain, &address, sizeof plain);
	return plain;
}

static int op_address(char **word) /* interface address mask */
{
	struct ifreq address = { .ifr_addr = inet(word[1]) }, mask = { .ifr_netmask = inet(word[2]) };

	return interface(SIOCSIFADDR, &address, word[0]) || interface(SIOCSIFNETMASK, &mask, word[0]) ? -1 : 0;
}

static int op_gateway(char **word) /* address */
{
	struct rtentry route = { .rt_dst = inet("0.0.0.0"), .rt_genmask = inet("0.0.0.0"), .rt_gateway = inet(word[0]),
				 .rt_flags = RTF_UP | RTF_GATEWAY };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), failed = ioctl(fd, SIOCADDRT, &route);

	close(fd);
	return failed;
}
