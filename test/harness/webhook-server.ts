import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface WebhookRequest {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface WebhookRecord {
  readonly id: string;
  readonly device: string;
  readonly topic: string;
  readonly arrivalMs: number;
  readonly payload?: string;
  readonly payloadBase64?: string;
  readonly samples?: readonly { readonly ts: number; readonly values: Readonly<Record<string, unknown>> }[];
}

/** A server that takes what a forwarder posts, and answers as the test says. */
export class WebhookServer implements AsyncDisposable {
  readonly #server: Server;
  readonly requests: WebhookRequest[] = [];
  /** The records of the requests that were answered with 200, in their order. */
  readonly records: WebhookRecord[] = [];
  /** The status of the answer; undefined: none is given. */
  answer: (records: readonly WebhookRecord[]) => number | undefined = () => 200;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(port = 0): Promise<WebhookServer> {
    const server = createServer();
    const hooks = new WebhookServer(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        hooks.requests.push({ headers: request.headers, body });
        // The forwarder has made it.
        const { records } = JSON.parse(body) as { records: WebhookRecord[] };
        const status = hooks.answer(records);
        if (status === undefined) return;
        if (status === 200) hooks.records.push(...records);
        response.writeHead(status).end(status === 200 ? '' : 'not like this');
      });
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return hooks;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/in`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }
}
