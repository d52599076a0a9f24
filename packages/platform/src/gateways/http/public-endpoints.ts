import { isIP } from 'node:net';
import { z } from 'zod';
import { SelsynError } from '../../kernel/errors.ts';

/** The ways in that a device can be told of. */
export const ENDPOINT_KINDS = ['mqtt', 'mqtts', 'ws', 'wss', 'https'] as const;
export type EndpointKind = (typeof ENDPOINT_KINDS)[number];
export type Endpoints = Readonly<Partial<Record<EndpointKind, string>>>;

/** A listener of this server. */
export interface EndpointDoor {
  readonly kind: EndpointKind;
  /** The address that it is bound to. */
  readonly host: string;
  readonly port: number;
  readonly path?: string;
}

/** Who asks, as far as it says where this server is for them. */
export interface AskedFrom {
  /** The name that they asked by: the `Host` of the request, with or without a port; undefined: none. */
  readonly host: string | undefined;
  /** Whether they are on this machine: others do not reach what is bound to loopback. */
  readonly isLocal: boolean;
}

const settingSchema = z.partialRecord(z.enum(ENDPOINT_KINDS), z.string().min(1).max(512)).nullable();

/** The setting of endpoints; undefined for the empty text. @throws SelsynError `config.invalid` */
export function parsePublicEndpoints(text: string): Endpoints | undefined {
  if (text === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SelsynError('config.invalid', 'must be JSON');
  }
  const result = settingSchema.safeParse(value);
  const [kind, url] = Object.entries(result.data ?? {}).find(([key, each]) => URL.parse(each)?.protocol !== `${key}:`) ?? [];
  if (result.success && result.data !== null && kind === undefined) return result.data;
  const wrong =
    kind === undefined
      ? `an object of URLs by ${ENDPOINT_KINDS.join(', ')}`
      : `an object in which ${kind} begins with ${kind}://, not ${url}`;
  throw new SelsynError('config.invalid', `must be ${wrong}`);
}

/** What devices are told of the ways in: the setting as it is, or the listeners of this server under the name that was asked. */
export class PublicEndpoints {
  readonly #doors: readonly EndpointDoor[];
  readonly #setting: Endpoints | undefined;

  constructor(options: { readonly doors: readonly EndpointDoor[]; readonly setting: Endpoints | undefined }) {
    this.#doors = options.doors;
    this.#setting = options.setting;
  }

  for({ host, isLocal }: AskedFrom): Endpoints {
    if (this.#setting !== undefined) return this.#setting;
    const name = hostNameOf(host);
    const reachable = this.#doors.filter((door) => isLocal || !isLoopbackAddress(door.host));
    return Object.fromEntries(
      reachable.map(({ kind, host: bound, port, path = '' }) => [
        kind,
        `${kind}://${name ?? bracketed(reachableAddress(bound))}:${port}${path}`,
      ]),
    );
  }
}

/** True for 127.0.0.0/8, ::1 and `localhost`. */
export function isLoopbackAddress(host: string): boolean {
  const plain = host.replace(/^::ffff:(?=\d+\.)/i, '');
  if (plain === 'localhost' || plain === '::1') return true;
  return isIP(plain) === 4 && plain.startsWith('127.');
}

/** The host of `host[:port]`, an IPv6 address in its brackets (RFC 3986, section 3.2.2); undefined for what is none. */
function hostNameOf(host: string | undefined): string | undefined {
  return /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::\d{1,5})?$/i.exec(host ?? '')?.[1];
}

function reachableAddress(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
}

function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}
