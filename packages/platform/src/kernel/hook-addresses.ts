import { BlockList, isIP, type LookupFunction } from 'node:net';

/**
 * Where no program of a user is, but clouds tell each machine its secrets: link-local addresses (RFC 3927, RFC 4291 section 2.5.6), and
 * those that AWS (IPv6) and Alibaba use for it. An IPv4 address within an IPv6 one is the same one.
 */
const FORBIDDEN = new BlockList();
FORBIDDEN.addSubnet('169.254.0.0', 16, 'ipv4');
FORBIDDEN.addAddress('100.100.100.200', 'ipv4');
FORBIDDEN.addSubnet('fe80::', 10, 'ipv6');
FORBIDDEN.addAddress('fd00:ec2::254', 'ipv6');

/** Whether a hook may not be at this address; of a name it is not known before it is looked up. */
export function isForbiddenAddress(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(address);
  return family !== 0 && FORBIDDEN.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** Looks names up for a connection, which is made to what was looked at here: a name that means another address a moment later deceives nobody. */
export function allowedLookup(lookup: LookupFunction): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, options, (error, address, family) => {
      const found = typeof address === 'string' ? [{ address }] : address;
      const isForbidden = error === null && found.some((each) => isForbiddenAddress(each.address));
      done(isForbidden ? new Error(`${hostname} has an address at which no hook may be`) : error, address, family);
    });
  };
}
