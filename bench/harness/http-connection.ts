import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const DEADLINE_MS = 30_000;
const LAST_CHUNK = '0\r\n\r\n';

/** One keep-alive connection, one request at a time: as little client as there can be between a measurement and the server. */
export class HttpConnection implements Disposable {
  readonly #socket: Socket;
  readonly #headers: string;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #wanted = Infinity;
  /** The last characters, over pieces. */
  #end = '';
  #settle: { resolve(): void; reject(error: Error): void } | undefined;

  private constructor(socket: Socket, headers: string) {
    this.#socket = socket;
    this.#headers = headers;
    socket.setNoDelay(true);
    socket.on('data', (piece) => this.#take(piece));
    socket.on('error', (error) => this.#settle?.reject(error));
    socket.on('close', () => this.#settle?.reject(new Error('the server closed the connection')));
    socket.on('timeout', () => socket.destroy(new Error('no answer within the deadline')));
  }

  static async open(port: number, authorization?: string): Promise<HttpConnection> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const headers = ['host: 127.0.0.1', ...(authorization === undefined ? [] : [`authorization: ${authorization}`])];
    return new HttpConnection(socket, headers.map((header) => `${header}\r\n`).join(''));
  }

  /** The body of the answer. @throws Error where it is not a 200, or the connection was closed. */
  async get(path: string): Promise<Buffer> {
    if (this.#socket.destroyed) throw new Error('the server closed the connection while it was idle');
    this.#pieces = [];
    this.#bytes = 0;
    this.#wanted = Infinity;
    this.#end = '';
    this.#socket.setTimeout(DEADLINE_MS);
    const answered = new Promise<void>((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#socket.write(`GET ${path} HTTP/1.1\r\n${this.#headers}\r\n`);
    await answered;
    this.#settle = undefined;
    this.#socket.setTimeout(0);
    const whole = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
    const head = whole.indexOf('\r\n\r\n');
    const body = whole.subarray(head + 4);
    if (whole.toString('latin1', 9, 12) !== '200') throw new Error(`${path}: ${whole.toString('latin1', 0, 300)}`);
    return isChunked(whole, head) ? joinChunks(body) : body;
  }

  [Symbol.dispose](): void {
    this.#settle = undefined;
    this.#socket.destroy();
  }

  #take(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#wanted === Infinity) {
      if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces)];
      this.#wanted = wholeLength(this.#pieces[0]!);
    }
    this.#end = (this.#end + piece.toString('latin1', Math.max(0, piece.length - LAST_CHUNK.length))).slice(-LAST_CHUNK.length);
    const isLastChunk = this.#wanted === -1 && this.#end === LAST_CHUNK;
    if (isLastChunk || (this.#wanted >= 0 && this.#bytes >= this.#wanted)) this.#settle?.resolve();
  }
}

/** Length of head and body; Infinity while the head is not whole, -1 for a chunked answer. */
function wholeLength(bytes: Buffer): number {
  const head = bytes.indexOf('\r\n\r\n');
  if (head < 0) return Infinity;
  const length = /\r\ncontent-length: *(\d+)/i.exec(bytes.toString('latin1', 0, head))?.[1];
  return length === undefined ? -1 : head + 4 + Number(length);
}

function isChunked(bytes: Buffer, head: number): boolean {
  return /\r\ntransfer-encoding: *chunked/i.test(bytes.toString('latin1', 0, head));
}

function joinChunks(body: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; ;) {
    const end = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.toString('latin1', at, end), 16);
    if (!(size > 0)) return Buffer.concat(pieces);
    pieces.push(body.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}
