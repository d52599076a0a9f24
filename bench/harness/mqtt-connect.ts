import { existsSync } from 'node:fs';
import { runLoadProgram, startLoad, type LoadLatency } from './load-program.ts';

export interface ConnectOptions {
  readonly port: number;
  /** TLS 1.2 or 1.3; default none. */
  readonly tls?: 12 | 13;
  /** 1: offers the TLS session of an earlier connection. */
  readonly resume?: 0 | 1;
  /** PEM files of a client certificate and its key. */
  readonly certificate?: string;
  readonly key?: string;
  /** Connections between SYN and what they wait for, at most; default 64. */
  readonly concurrency?: number;
  /** Client ids, which go round; default 5,000. */
  readonly clients?: number;
  readonly stride?: number;
  readonly firstId?: number;
  readonly clientPrefix?: string;
  /** 0: without clean session. */
  readonly clean?: 0 | 1;
  /** Each subscribes this and the six digits of its number, at QoS 1. */
  readonly subscribe?: string;
  /** Each waits for so many messages, a second at most. */
  readonly expect?: number;
}

export interface ConnectResult {
  readonly connections: number;
  /** With those of the warm-up. */
  readonly all: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** SYN to CONNACK (SUBACK, the last message), µs. */
  readonly latencyUs: LoadLatency;
  readonly errors: number;
  readonly refused: number;
  readonly resumed: number;
  readonly sessionsPresent: number;
  readonly messages: number;
  readonly loadBusy: number;
}

/** Connects, says DISCONNECT and waits until the broker has closed: over and over, or `count` times. */
export async function runConnects(
  options: ConnectOptions & ({ readonly count: number } | { readonly seconds: number; readonly warmup: number }),
): Promise<ConnectResult> {
  return checked(await runLoadProgram<ConnectResult>('mqtt-connect', options));
}

/** Opens connections that then say nothing, until disposed of. Resolves once all have their CONNACK. */
export async function holdConnects(options: ConnectOptions & { readonly count: number }): Promise<Disposable> {
  const child = startLoad('mqtt-connect', { ...options, clients: options.count, hold: 600 });
  try {
    const text = await new Promise<string>((resolve, reject) => {
      child.stdout?.once('data', (piece: Buffer) => resolve(piece.toString()));
      child.once('error', reject);
      child.once('close', () => reject(new Error('the load generator ended')));
    });
    const { connections } = checked(JSON.parse(text) as ConnectResult);
    if (connections !== options.count) throw new Error(`${connections} of ${options.count} connections were accepted`);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  return { [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

/** Why there can be no load over TLS here, or `undefined` where there can. */
export function missingForTls(): string | undefined {
  return existsSync('/usr/include/openssl/ssl.h') ? undefined : 'the headers of OpenSSL are not installed (Debian: libssl-dev)';
}

function checked(result: ConnectResult): ConnectResult {
  if (result.errors + result.refused > 0) throw new Error(`connections failed: ${JSON.stringify(result)}`);
  return result;
}
