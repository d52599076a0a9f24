import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Broker } from '../../broker/broker.ts';
import { SelsynError } from '../../kernel/errors.ts';
import type { LogLines } from '../../kernel/log-lines.ts';
import { SocketTransport } from './socket-transport.ts';

export interface MqttGatewayOptions {
  readonly broker: Broker;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Lets other threads listen on the same port; the kernel spreads the connections. */
  readonly reusePort: boolean;
  /** Sockets at most; more are closed at once. Should be a little over the broker's limit, which can answer those in between. */
  readonly maxSockets: number;
  readonly logLines: LogLines;
}

/** MQTT over TCP: listens, and hands the sockets to the broker of its thread. */
export class MqttGateway implements AsyncDisposable {
  readonly #options: MqttGatewayOptions;
  readonly #server: Server;

  constructor(options: MqttGatewayOptions) {
    this.#options = options;
    this.#server = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, allowHalfOpen: true },
      (socket) => this.#accept(socket),
    );
    this.#server.maxConnections = options.maxSockets;
    this.#server.on('drop', () => options.broker.counters.refused++);
  }

  /**
   * Begins to listen, and starts the broker.
   * @returns the port it listens on.
   * @throws SelsynError `listen.failed`
   */
  async start(): Promise<number> {
    const { host, port, reusePort, broker, logLines } = this.#options;
    try {
      this.#server.listen({ host, port, reusePort, backlog: BACKLOG });
      await once(this.#server, 'listening');
    } catch (error) {
      throw new SelsynError(
        'listen.failed',
        `MQTT cannot listen on ${host}:${port}: ${error instanceof Error ? error.message : String(error)}`,
        {
          cause: error,
          details: { host, port },
        },
      );
    }
    this.#server.on('error', (error) => logLines.error({ err: error }, 'the MQTT listener failed'));
    broker.start();
    return (this.#server.address() as AddressInfo).port; // a TCP server that listens has one
  }

  /** Accepts no more, and closes the broker: clients are told that the server shuts down. */
  async close(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined;
    this.#server.close();
    await this.#options.broker.close();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #accept(socket: Socket): void {
    this.#options.broker.accept(new SocketTransport(socket));
  }
}

/** Connections that the kernel keeps until they are accepted: many devices come back at once. */
const BACKLOG = 4_096;
