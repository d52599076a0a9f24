import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import type { Server as TlsServer, TLSSocket } from 'node:tls';
import type { WebSocket } from 'ws';
import type { Door } from '../../broker/transport.ts';
import type { Clock } from '../../kernel/clock.ts';
import { SelsynError, systemCode } from '../../kernel/errors.ts';
import type { LogLines } from '../../kernel/log-lines.ts';
import { ThrottledLines } from '../../kernel/throttled-lines.ts';
import { Arrivals } from './arrivals.ts';
import { DoorCounters, type DoorRefusal } from './door-counters.ts';
import type { PeekableTransport } from './peekable-transport.ts';
import { takeProxyHeader } from './proxy-reader.ts';
import { SlowFrames } from './slow-frames.ts';
import { SocketTransport } from './socket-transport.ts';
import { MQTT_ALPN, newTlsHandshake, renewTls, WEBSOCKET_ALPN } from './tls-handshake.ts';
import type { ClientCertificates, TlsMaterial } from './tls-material.ts';
import { clearUnixPath, openUnixPath } from './unix-listener.ts';
import { WebSocketTransport } from './websocket-transport.ts';
import { newWebSocketUpgrade } from './websocket-upgrade.ts';

export interface DoorAddress {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** Which doors there are. `tls` and `wss` need `tlsMaterial`. */
export interface DoorSettings {
  readonly tcp?: DoorAddress | undefined;
  readonly tls?: DoorAddress | undefined;
  readonly ws?: DoorAddress | undefined;
  readonly wss?: DoorAddress | undefined;
  /** A path. */
  readonly unix?: string | undefined;
  readonly tlsMaterial?: TlsMaterial | undefined;
  readonly clientCertificates?: ClientCertificates | undefined;
  /** Connections of all doors but `unix` begin with a PROXY protocol header. */
  readonly proxyProtocol?: boolean | undefined;
  /** See WebSocketUpgradeOptions. */
  readonly localPagesOnly?: boolean | undefined;
}

export interface MqttGatewayOptions {
  /** Takes each connection that is through its door. Must attach a listener before it returns, or destroy it. */
  readonly accept: (transport: PeekableTransport) => void;
  readonly doors: DoorSettings;
  /** Lets other threads listen on the same ports; the kernel spreads the connections. */
  readonly reusePort: boolean;
  /** Sockets at most; more are closed at once. Should be a little over the broker's limit, which can answer those in between. */
  readonly maxSockets: number;
  /** The largest MQTT packet. */
  readonly maxPacketBytes: number;
  readonly clock: Clock;
  readonly logLines: LogLines;
}

/** The ports that are listened on. */
export type DoorPorts = Partial<Record<TcpDoor, number>>;
type TcpDoor = Exclude<Door, 'unix'>;

/**
 * The doors of one thread: listens, brings each connection through what its door asks for, and hands it on as a Transport.
 *
 * ```
 *              ┌─ tcp, unix ───────────────────────────────────────────────▶ SocketTransport
 * socket ─[PROXY header]─ tls ─── TLS handshake ───────────────────────────▶ SocketTransport
 *              ├─ wss ─ TLS handshake ─┐
 *              └─ ws ──────────────────┴─ HTTP upgrade ────────────────────▶ WebSocketTransport
 * ```
 * Whatever is in between has so long, all together, and is an Arrival until then.
 */
export class MqttGateway implements AsyncDisposable {
  readonly counters = new DoorCounters();
  readonly #options: MqttGatewayOptions;
  readonly #arrivals: Arrivals;
  readonly #slowFrames: SlowFrames;
  /** Connections that do not get as far as the broker: others decide how many there are. */
  readonly #refusals: ThrottledLines;
  readonly #listeners: Server[] = [];
  readonly #handshakes: Partial<Record<'tls' | 'wss', TlsServer>> = {};
  readonly #upgrade: HttpServer;

  constructor(options: MqttGatewayOptions) {
    this.#options = options;
    const { clock, doors } = options;
    this.#refusals = new ThrottledLines({ logLines: options.logLines, clock, sentence: 'a connection was closed at its door' });
    this.#arrivals = new Arrivals({ clock, deadlineMs: ARRIVAL_DEADLINE_MS, onLate: () => this.#count('deadline') });
    this.#slowFrames = new SlowFrames({
      clock,
      onSlow: () => {
        this.counters.slowFrames++;
        this.#refusals.write('warn', 'slow-websocket', {});
      },
    });
    this.#upgrade = newWebSocketUpgrade({
      maxMessageBytes: options.maxPacketBytes + MESSAGE_MARGIN_BYTES,
      localPagesOnly: doors.localPagesOnly ?? false,
      onOpen: (webSocket, socket) => this.#admitWebSocket(webSocket, socket),
      onRefused: () => this.counters.refused.websocket++,
    });
  }

  /**
   * Opens all doors.
   * @throws SelsynError `listen.failed`: then none is open.
   */
  async start(): Promise<DoorPorts> {
    const { doors } = this.#options;
    if (doors.tls !== undefined) this.#handshakes.tls = this.#newHandshake(MQTT_ALPN, (socket) => this.#admitSecure(socket));
    if (doors.wss !== undefined)
      this.#handshakes.wss = this.#newHandshake(WEBSOCKET_ALPN, (socket) => this.#upgradeSecure(socket));
    const ports: DoorPorts = {};
    try {
      for (const door of ['tcp', 'tls', 'ws', 'wss'] as const) {
        const address = doors[door];
        if (address === undefined) continue;
        const server = await this.#listen(door, { host: address.host, port: address.port, reusePort: this.#options.reusePort });
        const bound = server.address();
        ports[door] = typeof bound === 'object' && bound !== null ? bound.port : address.port;
      }
      if (doors.unix !== undefined) {
        await clearUnixPath(doors.unix);
        await this.#listen('unix', { path: doors.unix });
        openUnixPath(doors.unix);
      }
    } catch (error) {
      await this.close();
      throw error;
    }
    return ports;
  }

  /** New connections get this certificate, and are asked for those of these authorities; open ones stay as they are. */
  renewTls(material: TlsMaterial): void {
    for (const server of Object.values(this.#handshakes)) renewTls(server, material);
  }

  /** Accepts no more, and closes what is not through its door. What was handed on is its taker's to close. */
  async close(): Promise<void> {
    for (const server of this.#listeners.splice(0)) server.close();
    this.#arrivals[Symbol.dispose]();
    this.#slowFrames[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #listen(door: Door, where: ListenOptions): Promise<Server> {
    const server = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, allowHalfOpen: true },
      (socket) => this.#arrive(door, socket),
    );
    try {
      server.listen({ ...where, backlog: BACKLOG });
      await once(server, 'listening');
    } catch (error) {
      const place = where.path ?? `${where.host}:${where.port}`;
      const why = systemCode(error) ?? (error instanceof Error ? error.message : String(error));
      throw new SelsynError('listen.failed', `MQTT (${door}) cannot listen on ${place}: ${why}`, {
        cause: error,
        details: { door, place },
      });
    }
    this.#listeners.push(server);
    server.on('error', (error) => this.#options.logLines.error({ err: error, door }, 'an MQTT listener failed'));
    return server;
  }

  #newHandshake(alpn: readonly string[], onSecure: (socket: TLSSocket) => void): TlsServer {
    const { tlsMaterial, clientCertificates = 'none' } = this.#options.doors;
    if (tlsMaterial === undefined) throw new Error('a TLS door needs its material');
    return newTlsHandshake({
      material: tlsMaterial,
      clientCertificates,
      alpn,
      onSecure: (socket) => {
        if (socket.isSessionReused()) this.counters.tlsResumed++;
        onSecure(socket);
      },
      onFailed: (error) => {
        this.counters.refused['tls-handshake']++;
        this.#options.logLines.debug({ err: error }, 'a TLS handshake failed');
      },
    });
  }

  #arrive(door: Door, socket: Socket): void {
    const { doors, maxSockets } = this.#options;
    if (this.counters.sockets >= maxSockets) {
      this.#refuse(socket, 'too-many-sockets');
      return;
    }
    this.counters.sockets++;
    socket.on('close', this.#onSocketClosed);
    const proxied = door !== 'unix' && doors.proxyProtocol === true;
    if (!proxied && (door === 'tcp' || door === 'unix')) {
      this.#admit(new SocketTransport(socket, door));
      return;
    }
    socket.on('error', ignore);
    const arrival = this.#arrivals.add(socket, door);
    if (arrival === undefined) return;
    if (!proxied) this.#enter(door, socket);
    else {
      takeProxyHeader(socket, {
        onHeader: (clientAddress) => {
          arrival.clientAddress = clientAddress;
          this.#enter(door, socket);
        },
        onMalformed: () => this.#refuse(socket, 'proxy-header'),
      });
    }
  }

  #enter(door: Door, socket: Socket): void {
    if (door === 'tls' || door === 'wss') this.#handshakes[door]?.emit('connection', socket);
    else if (door === 'ws') this.#upgradeSocket(socket);
    else {
      const arrival = this.#arrivals.take(socket);
      if (arrival !== undefined) this.#admit(new SocketTransport(socket, door, arrival.clientAddress));
    }
  }

  #upgradeSocket(socket: Socket): void {
    this.#upgrade.emit('connection', socket);
    socket.resume();
  }

  /** One that is no arrival any more was destroyed at its deadline, or its peer is gone. */
  #admitSecure(socket: TLSSocket): void {
    const arrival = this.#arrivals.take(socket);
    if (arrival === undefined) socket.destroy();
    else this.#admit(new SocketTransport(socket, 'tls', arrival.clientAddress));
  }

  #upgradeSecure(socket: TLSSocket): void {
    socket.on('error', ignore);
    if (this.#arrivals.find(socket) === undefined) socket.destroy();
    else this.#upgradeSocket(socket);
  }

  #admitWebSocket(webSocket: WebSocket, socket: Socket): void {
    const arrival = this.#arrivals.take(socket);
    if (arrival === undefined || (arrival.door !== 'ws' && arrival.door !== 'wss')) {
      socket.destroy();
      return;
    }
    const { door, clientAddress } = arrival;
    const transport = new WebSocketTransport({ webSocket, socket, door, clientAddress });
    this.#admit(transport);
    this.#slowFrames.add(transport);
    webSocket.on('close', () => this.#slowFrames.remove(transport));
  }

  #admit(transport: PeekableTransport): void {
    this.counters.admitted[transport.door]++;
    this.#options.accept(transport);
  }

  #refuse(socket: Socket, reason: DoorRefusal): void {
    this.#count(reason);
    socket.destroy();
  }

  #count(reason: DoorRefusal): void {
    this.counters.refused[reason]++;
    this.#refusals.write(reason === 'too-many-sockets' ? 'warn' : 'info', reason, {});
  }

  readonly #onSocketClosed = (): void => {
    this.counters.sockets--;
  };
}

function ignore(): void {
  return;
}

/** For a PROXY header, a TLS handshake and an HTTP upgrade together. */
const ARRIVAL_DEADLINE_MS = 10_000;
/** Connections that the kernel keeps until they are accepted: many devices come back at once. */
const BACKLOG = 4_096;
/** A WebSocket message may hold a packet of the largest size and some more. */
const MESSAGE_MARGIN_BYTES = 65_536;
