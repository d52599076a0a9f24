import { CliError } from './cli-error.ts';
import type { ServerAddress } from './server-address.ts';

export type Value = number | boolean | string;
export type Columns = Readonly<Record<string, readonly (readonly [timeMs: number, value: Value])[]>>;

export interface DeviceItem {
  readonly id: string;
  readonly name?: string;
  readonly type?: string;
  readonly group: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly tags: readonly string[];
  readonly createdAtMs: number;
  readonly connectivity?: { readonly connected: boolean; readonly sinceMs: number; readonly lastSeenMs: number };
  readonly latest?: Readonly<Record<string, readonly [timeMs: number, value: Value]>>;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
  readonly total?: number;
}

type Query = Readonly<Record<string, string | number | undefined>>;

/** Longer than a command waits for its answer. */
const REQUEST_DEADLINE_MS = 110_000;

/** A server, and the key that is shown to it; undefined: none. */
type Called = Pick<ServerAddress, 'url' | 'keyFrom'> & { readonly key: string | undefined };

/** The HTTP API as the commands need it. Every failure is a CliError with the server's own words. */
export class ApiClient {
  readonly #server: Called;

  constructor(server: Called) {
    this.#server = server;
  }

  async get<T>(path: string, query: Query = {}): Promise<T> {
    return (await (await this.#send('GET', path, query)).json()) as T;
  }

  async post<T>(path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<T> {
    return (await (await this.#send('POST', path, {}, body, undefined, headers)).json()) as T;
  }

  async put<T>(path: string, body: unknown): Promise<T> {
    return (await (await this.#send('PUT', path, {}, body)).json()) as T;
  }

  async patch<T>(path: string, body: unknown): Promise<T> {
    return (await (await this.#send('PATCH', path, {}, body)).json()) as T;
  }

  /** A POST that is answered without a body. */
  async send(path: string, body?: unknown): Promise<void> {
    await this.#send('POST', path, {}, body);
  }

  /** A POST of bytes as they are. */
  async postBytes<T>(path: string, query: Query, bytes: Uint8Array<ArrayBuffer>, contentType: string): Promise<T> {
    return (await (await this.#send('POST', path, query, new TypedBytes(bytes, contentType))).json()) as T;
  }

  async delete(path: string, query: Query = {}): Promise<void> {
    await this.#send('DELETE', path, query);
  }

  /** The raw answer, for streams and headers. */
  async open(path: string, query: Query = {}, signal?: AbortSignal): Promise<Response> {
    return await this.#send('GET', path, query, undefined, signal);
  }

  /** The raw answer of a POST, for streams and headers. */
  async openPost(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
    return await this.#send('POST', path, {}, body, signal);
  }

  /** Every item of a paged list, page by page. */
  async *pages<T>(path: string, query: Query = {}): AsyncGenerator<T> {
    let cursor: string | undefined;
    do {
      const page: Page<T> = await this.get(path, { ...query, cursor });
      yield* page.items;
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  async #send(
    method: string,
    path: string,
    query: Query,
    body?: unknown,
    signal?: AbortSignal,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const url = new URL(`${this.#server.url}/api/v1${path}`);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
    const { key } = this.#server;
    const headers: Record<string, string> = key === undefined ? { ...more } : { ...more, authorization: `Bearer ${key}` };
    if (body !== undefined) headers['content-type'] = body instanceof TypedBytes ? body.contentType : 'application/json';
    let response: Response;
    try {
      const init: RequestInit = { method, headers, signal: signal ?? AbortSignal.timeout(REQUEST_DEADLINE_MS) };
      response = await fetch(
        url,
        body === undefined ? init : { ...init, body: body instanceof TypedBytes ? body.bytes : JSON.stringify(body) },
      );
    } catch (error) {
      if (signal?.aborted === true) throw error;
      throw new CliError(
        `no answer from ${this.#server.url} (${reason(error)}); is it running? start it with "npm start"`,
        undefined,
        true,
      );
    }
    if (response.ok) return response;
    if (response.status === 401 && key !== undefined)
      throw new CliError(`${this.#server.url} does not know the key from ${this.#server.keyFrom} (access.unauthenticated)`);
    throw await problem(response);
  }
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message;
}

/** A body that is no JSON. */
class TypedBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string;

  constructor(bytes: Uint8Array<ArrayBuffer>, contentType: string) {
    this.bytes = bytes;
    this.contentType = contentType;
  }
}

async function problem(response: Response): Promise<CliError> {
  const retryable = response.status >= 502 || response.status === 429;
  try {
    const document: unknown = await response.json();
    if (typeof document === 'object' && document !== null && 'title' in document) {
      const code = 'code' in document ? String(document.code) : undefined;
      const said = String('detail' in document ? document.detail : document.title);
      return new CliError(`${said}${code === undefined ? '' : ` (${code})`}`, code, retryable);
    }
  } catch {
    // Not a problem document: some proxy answered.
  }
  return new CliError(
    `${response.url} answered ${response.status} ${response.statusText}: it is no Selsyn server, or something stands before it`,
    undefined,
    retryable,
  );
}
