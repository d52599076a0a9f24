import { isIP, isIPv6, SocketAddress } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';

/** A name that a server certificate is valid for. */
export interface ServerName {
  readonly type: 'dns' | 'ip';
  /** A host name in lower case, or an address in its canonical spelling. */
  readonly value: string;
}

/** What a machine calls itself: `os.hostname()` and `os.networkInterfaces()`. */
export interface MachineNames {
  readonly hostname: string;
  readonly interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;
}

/** A host with hundreds of addresses gets a certificate of bounded size. */
const MAX_MACHINE_ADDRESSES = 64;
const HOST_NAME = /^(?=.{1,253}$)(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** The names of this machine: localhost, its loopback addresses, its host name, its addresses that others can reach it by. */
export function machineServerNames({ hostname, interfaces }: MachineNames): ServerName[] {
  const addresses = Object.values(interfaces)
    .flatMap((infos) => infos ?? [])
    .filter(({ internal, address }) => !internal && !/^fe[89ab]/i.test(address)) // link-local ones are not unique
    .map(({ address }) => address)
    .slice(0, MAX_MACHINE_ADDRESSES);
  const names = ['localhost', '127.0.0.1', '::1', hostname, ...addresses].map(readServerName);
  return unique(names.filter((name) => name !== undefined));
}

/** A host name, with a `*` as its first label perhaps, or an address; undefined for anything else. */
export function readServerName(text: string): ServerName | undefined {
  const trimmed = text.trim().toLowerCase();
  if (isIP(trimmed) !== 0) {
    if (trimmed.includes('%')) return undefined;
    const family = isIPv6(trimmed) ? 'ipv6' : 'ipv4';
    return { type: 'ip', value: new SocketAddress({ address: trimmed, family }).address };
  }
  return HOST_NAME.test(trimmed) ? { type: 'dns', value: trimmed } : undefined;
}

/** The names in a certificate, from the text that Node makes of its extension (`DNS:a, IP Address:127.0.0.1`). */
export function readSubjectAltNames(text: string | undefined): ServerName[] {
  return unique(
    (text ?? '')
      .split(', ')
      .map((entry) => readServerName(entry.slice(entry.indexOf(':') + 1)))
      .filter((name) => name !== undefined),
  );
}

export function sameServerNames(left: readonly ServerName[], right: readonly ServerName[]): boolean {
  const keys = new Set(left.map(keyOf));
  return keys.size === new Set(right.map(keyOf)).size && right.every((name) => keys.has(keyOf(name)));
}

function unique(names: readonly ServerName[]): ServerName[] {
  return [...new Map(names.map((name) => [keyOf(name), name])).values()];
}

function keyOf({ type, value }: ServerName): string {
  return `${type}:${value}`;
}
