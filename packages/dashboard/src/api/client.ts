import { Problem, problemOf } from './problem.ts';

export type Query = Readonly<Record<string, string | number | undefined>>;

export interface ClientOptions {
  /** The key of the moment; absent when signed out, and when the browser sends the cookie of a session. */
  readonly key: () => string | undefined;
  /** The server refused the key, or the session has ended. */
  readonly onUnauthenticated: () => void;
}

export interface RequestOptions {
  readonly query?: Query;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Instead of the signed-in key: one that is being tried; empty: none, so that a cookie counts. */
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default 30 s. */
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 30_000;

/** HTTP with the key, a deadline, and Problems as errors. */
export class ApiClient {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  async get(path: string, options: RequestOptions = {}): Promise<unknown> {
    return await (await this.send('GET', path, options)).json();
  }

  async post(path: string, body: unknown): Promise<unknown> {
    return await (await this.send('POST', path, { body })).json();
  }

  async patch(path: string, body: unknown): Promise<unknown> {
    return await (await this.send('PATCH', path, { body })).json();
  }

  async delete(path: string): Promise<void> {
    await this.send('DELETE', path, {});
  }

  /**
   * @throws Problem with status 0 when no answer came in time, else with the server's problem document.
   * An AbortError of the caller's own signal passes through.
   */
  async send(method: string, path: string, options: RequestOptions): Promise<Response> {
    const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    const deadline = AbortSignal.timeout(deadlineMs);
    const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
    const response = await this.#fetch(method, path, options, signal, deadlineMs);
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status === 401 && options.key === undefined) this.#options.onUnauthenticated();
    throw problem;
  }

  /** The live feed: no deadline here, its reader has one for silence. */
  async openStream(path: string, query: Query, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#fetch('GET', path, { query }, signal, 0);
    if (!response.ok) {
      if (response.status === 401) this.#options.onUnauthenticated();
      throw await problemOf(response);
    }
    if (response.body === null) throw new Error('the live feed has no body');
    return response.body;
  }

  async #fetch(
    method: string,
    path: string,
    options: RequestOptions,
    signal: AbortSignal,
    deadlineMs: number,
  ): Promise<Response> {
    const key = options.key ?? this.#options.key() ?? '';
    const headers: Record<string, string> = { ...options.headers };
    if (key !== '') headers['authorization'] = `Bearer ${key}`;
    if (options.body !== undefined) headers['content-type'] = 'application/json';
    try {
      return await fetch(`/api/v1${path}${queryText(options.query)}`, {
        method,
        headers,
        signal,
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      });
    } catch (cause) {
      if (options.signal?.aborted === true) throw cause;
      throw new Problem(noAnswer(cause, deadlineMs), cause);
    }
  }
}

function queryText(query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) params.set(name, String(value));
  const encoded = params.toString();
  return encoded === '' ? '' : `?${encoded}`;
}

function noAnswer(cause: unknown, deadlineMs: number): { title: string; detail: string; status: number; code: string } {
  const late = cause instanceof DOMException && cause.name === 'TimeoutError';
  return {
    title: 'The server does not answer',
    detail: late ? `No answer came within ${deadlineMs / 1000} seconds.` : 'The connection could not be made.',
    status: 0,
    code: '',
  };
}
