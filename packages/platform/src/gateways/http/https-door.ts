import type { Server as HttpServer, RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Clock } from '../../kernel/clock.ts';
import { RateLimiter } from '../../provisioning/rate-limiter.ts';
import { secureContextOptions } from '../mqtt/tls-handshake.ts';
import type { TlsMaterial } from '../mqtt/tls-material.ts';
import { addressKeyOf } from './address-pace.ts';

export interface HttpsDoorOptions {
  readonly host: string;
  readonly port: number;
  readonly material: TlsMaterial;
  readonly clock: Clock;
  /** What is served, and the server without TLS whose limits count here too. */
  readonly onRequest: RequestListener;
  readonly onBrokenRequest: (error: Error, socket: Socket) => void;
  readonly limitsOf: HttpServer;
}

/** A handshake has this thread compute for about a millisecond, and it has other things to do. */
const CONNECTIONS_PER_MINUTE = 6_000;
const MAX_HANDSHAKES = 256;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const SESSIONS = 'selsyn-https';
/** What clients offer by ALPN; AWS's name is for who shows a client certificate at the port of HTTPS. */
const ALPN: readonly string[] = ['http/1.1', 'x-amzn-http-ca'];

/**
 * HTTP over TLS. A client certificate is asked for and none is refused: whoever has one that this server knows is told apart by it, on
 * the routes that look.
 *
 * New connections are bounded: in all, of one address in a minute, and in handshakes under way; one too many is closed unanswered.
 */
export class HttpsDoor implements AsyncDisposable {
  readonly #options: HttpsDoorOptions;
  readonly #server: Server;
  readonly #pace: RateLimiter;
  readonly #handshakes = new Set<Socket>();
  readonly #counts = { connections: 0, failed: 0, refused: 0 };

  constructor(options: HttpsDoorOptions) {
    const { material, onRequest, onBrokenRequest, limitsOf } = options;
    this.#options = options;
    this.#pace = new RateLimiter(options.clock);
    this.#server = createServer(
      {
        ...secureContextOptions(material, SESSIONS),
        ALPNProtocols: [...ALPN],
        requestCert: true,
        rejectUnauthorized: false,
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
        requestTimeout: limitsOf.requestTimeout,
        keepAliveTimeout: limitsOf.keepAliveTimeout,
        noDelay: true,
      },
      onRequest,
    );
    this.#server.maxConnections = limitsOf.maxConnections;
    this.#server.setTimeout(limitsOf.timeout);
    this.#server.on('clientError', onBrokenRequest);
    this.#server.on('secureConnection', () => this.#counts.connections++);
    this.#server.on('tlsClientError', () => this.#counts.failed++);
    this.#admitBefore();
  }

  /** @throws the error of the operating system */
  async open(): Promise<void> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  get port(): number {
    // It listens on a TCP port.
    return (this.#server.address() as AddressInfo).port;
  }

  /** New handshakes use it; open connections keep what they began with. */
  renew(material: TlsMaterial): void {
    this.#server.setSecureContext(secureContextOptions(material, SESSIONS));
  }

  register(registry: Registry): void {
    const counter = (name: string, help: string, count: () => number): void => {
      const metric: Counter = new Counter({
        name,
        help,
        registers: [registry],
        collect: () => {
          metric.reset();
          metric.inc(count());
        },
      });
    };
    counter('selsyn_https_connections_total', 'Connections of HTTPS whose handshake succeeded.', () => this.#counts.connections);
    counter('selsyn_https_failed_handshakes_total', 'Connections of HTTPS whose handshake failed.', () => this.#counts.failed);
    counter('selsyn_https_refused_connections_total', 'Connections of HTTPS beyond what is taken.', () => this.#counts.refused);
    const handshakes: Gauge = new Gauge({
      name: 'selsyn_https_handshakes',
      help: 'Handshakes of HTTPS under way.',
      registers: [registry],
      collect: () => handshakes.set(this.#handshakes.size),
    });
  }

  /** Requests under way are finished by whoever serves them; what is idle is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#handshakes) socket.destroy();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      const force = setTimeout(() => this.#server.closeAllConnections(), CLOSE_DEADLINE_MS);
      this.#server.once('close', () => clearTimeout(force));
    });
  }

  /** Puts the bounds in front of the handshake, which the server would otherwise begin with each connection. */
  #admitBefore(): void {
    const [begin] = this.#server.listeners('connection');
    if (begin === undefined) throw new Error('a server of HTTPS has no listener for connections');
    this.#server.removeAllListeners('connection');
    this.#server.on('connection', (socket: Socket) => {
      const key = addressKeyOf(socket.remoteAddress ?? '');
      if (this.#handshakes.size >= MAX_HANDSHAKES || !this.#pace.take(key, CONNECTIONS_PER_MINUTE)) {
        this.#counts.refused++;
        socket.destroy();
        return;
      }
      this.#handshakes.add(socket);
      socket.once('close', () => this.#handshakes.delete(socket));
      Reflect.apply(begin, this.#server, [socket]);
    });
    this.#server.on('secureConnection', (secure) => {
      for (const socket of this.#handshakes) if (isUnder(secure, socket)) this.#handshakes.delete(socket);
    });
  }
}

const CLOSE_DEADLINE_MS = 5_000;

/** They share the two ends of the connection. */
function isUnder(secure: Socket, socket: Socket): boolean {
  return secure.remotePort === socket.remotePort && secure.remoteAddress === socket.remoteAddress;
}
