import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProtocolVersion, QoS } from '@selsyn/wire/mqtt/packets.ts';
import type { Selsyn } from './selsyn.ts';

export const DOORS = ['TCP', 'TLS', 'mutual TLS', 'WebSocket', 'WebSocket over TLS', 'WebSocket over mutual TLS'] as const;
export type Door = (typeof DOORS)[number];

/** How a client gets in by one door. */
export interface Way {
  readonly door: Door;
  /** `localhost`, a name for which the server's certificate is valid. */
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly isWebSocket: boolean;
  /** The certificates to show and to trust, where the door is one of TLS. */
  readonly tls: WayTls | undefined;
}

export interface WayTls {
  readonly caFile: string;
  /** Only for mutual TLS. */
  readonly certificate: { readonly certFile: string; readonly keyFile: string } | undefined;
}

/** What 5.0 carries beside a payload. */
export interface MessageProperties {
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: string;
  readonly messageExpirySec?: number;
  readonly userProperties?: readonly (readonly [name: string, value: string])[];
}

/** A message as a library hands it to its user. */
export interface Heard {
  readonly topic: string;
  readonly text: string;
  readonly qos: number;
  readonly retain: boolean;
  /** Absent where the library speaks 3.1.1. */
  readonly properties?: MessageProperties;
}

export interface ClientOptions {
  readonly clientId: string;
  /** Whether the session outlives the connection. Default false. */
  readonly kept?: boolean;
  readonly will?: { readonly topic: string; readonly text: string; readonly qos: 0 | 1; readonly retain: boolean };
  /** A name and a password, for servers that ask for them. */
  readonly account?: { readonly username: string; readonly password: string };
  /** Offered in the TLS handshake instead of what the library offers by itself. */
  readonly alpn?: string;
}

/** A connected client of some library. What is heard is acknowledged by the library itself. */
export interface LibraryClient {
  readonly sessionPresent: boolean;
  /** Everything so far, in order. */
  readonly heard: readonly Heard[];
  /** @returns the QoS that was granted */
  subscribe(filter: string, qos: QoS): Promise<number>;
  /** Ends with the exchange of its QoS. */
  publish(
    topic: string,
    text: string,
    options: { readonly qos: QoS; readonly retain?: boolean; readonly properties?: MessageProperties },
  ): Promise<void>;
  /** With DISCONNECT, where the connection still is, and so that it does not come back. Once only. */
  leave(): Promise<void>;
}

export interface ClientLibrary {
  readonly name: string;
  readonly version: ProtocolVersion;
  /** By which it can come at all. */
  readonly doors: readonly Door[];
  /** The highest it knows. */
  readonly maxQos: QoS;
  /** @throws where the server does not let it in */
  open(way: Way, options: ClientOptions): Promise<LibraryClient>;
}

/** @param certificates the folder into which `selsyn cert issue` wrote those of the device `d1`; unneeded without mutual TLS. */
export function wayThrough(door: Door, selsyn: Selsyn, certificates = ''): Way {
  const isWebSocket = door.startsWith('WebSocket');
  const isSecure = door.endsWith('TLS');
  const secureUrl = isWebSocket ? selsyn.wssUrl : selsyn.mqttsUrl;
  const plainUrl = isWebSocket ? selsyn.wsUrl : selsyn.mqttUrl;
  const url = new URL(isSecure ? secureUrl : plainUrl);
  url.hostname = 'localhost';
  const certificate = door.endsWith('mutual TLS')
    ? { certFile: join(certificates, 'd1.crt'), keyFile: join(certificates, 'd1.key') }
    : undefined;
  return {
    door,
    host: 'localhost',
    port: Number(url.port),
    url: url.href,
    isWebSocket,
    tls: isSecure ? { caFile: selsyn.caFile, certificate } : undefined,
  };
}

/** As Node's TLS takes them. */
export function nodeTlsOptions({ tls }: Way): { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer } {
  if (tls === undefined) return {};
  const own =
    tls.certificate === undefined
      ? {}
      : { cert: readFileSync(tls.certificate.certFile), key: readFileSync(tls.certificate.keyFile) };
  return { ca: readFileSync(tls.caFile), ...own };
}
