import { randomInt } from 'node:crypto';
import { createServer, isIPv6, type Server } from 'node:net';
import { SelsynError, systemCode } from '../kernel/errors.ts';

/** Something that listens on a TCP port, and the settings that say so. */
export interface ListenerAddress {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The setting of the port: `mqtt.port`. */
  readonly portKey: string;
  /** The setting that leaves it out altogether, where there is one: `tls.enabled`. */
  readonly enabledKey?: string;
}

/**
 * Finds ports that can be bound by this process alone, before anything starts: threads that share a port by `reusePort` would
 * also share it with another Selsyn. Port 0 becomes a free one, the same for all threads. All are held until all are found,
 * so that no two are the same.
 *
 * @throws SelsynError `listen.failed` for the first that cannot be had
 */
export async function reservePorts<A extends { readonly [K in keyof A]: ListenerAddress }>(
  addresses: A,
): Promise<{ [K in keyof A]: number }> {
  const held: Server[] = [];
  const ports: Record<string, number> = {};
  try {
    for (const [key, address] of Object.entries<ListenerAddress>(addresses)) {
      const probe = address.port === 0 ? await holdFree(address) : await hold(address);
      held.push(probe);
      const bound = probe.address();
      ports[key] = typeof bound === 'object' && bound !== null ? bound.port : address.port;
    }
  } finally {
    await Promise.all(held.map(async (probe) => await new Promise<void>((resolve) => probe.close(() => resolve()))));
  }
  return ports as { [K in keyof A]: number }; // each key was set above
}

/**
 * A free port. It is let go before the threads bind it, so one that the kernel would give to the next outgoing connection is no good:
 * those are above, on Linux from 32,768 on.
 */
async function holdFree(address: ListenerAddress): Promise<Server> {
  for (let attempt = 0; attempt < FREE_ATTEMPTS; attempt++) {
    try {
      return await hold({ ...address, port: randomInt(FIRST_FREE, LAST_FREE + 1) });
    } catch (error) {
      if (!(error instanceof SelsynError) || systemCode(error.cause) !== 'EADDRINUSE') throw error;
    }
  }
  return await hold(address);
}

const FREE_ATTEMPTS = 20;
const FIRST_FREE = 10_240;
const LAST_FREE = 32_767;

async function hold(address: ListenerAddress): Promise<Server> {
  return await new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => reject(listenFailure(address, error)));
    probe.listen({ host: address.host, port: address.port, exclusive: true }, () => resolve(probe));
  });
}

/** Whether the kernel spreads connections over several sockets of one port here. */
export async function canReusePort(): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host: '127.0.0.1', port: 0, reusePort: true }, () => probe.close(() => resolve(true)));
  });
}

/** Says what stands in the way of listening, and which setting helps. */
export function listenFailure({ host, port, portKey, enabledKey }: ListenerAddress, cause: unknown): SelsynError {
  const code = systemCode(cause);
  const without = enabledKey === undefined ? '' : `, or do without with --set ${enabledKey}=false`;
  const why =
    code === 'EADDRINUSE'
      ? `port ${port} on ${host} is in use; choose another with --set ${portKey}=N${without}`
      : code === 'EACCES'
        ? `port ${port} on ${host} may not be opened by this user`
        : code === 'EADDRNOTAVAIL'
          ? `${host} is no address of this machine`
          : `${host}:${port} cannot be opened (${code ?? String(cause)})`;
  return new SelsynError('listen.failed', `${portKey}: ${why}`, { cause, details: { host, port } });
}

/** An address that a client on this machine can use: an unspecified host becomes loopback. */
export function urlOf(scheme: string, host: string, port: number, path = ''): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${scheme}://${isIPv6(reachable) ? `[${reachable}]` : reachable}:${port}${path}`;
}
