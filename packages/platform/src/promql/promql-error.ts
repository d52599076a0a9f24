/** What is wrong with a query, in the words of the Prometheus HTTP API: `bad_data` before it runs, `execution` while it does. */
export class PromqlError extends Error {
  readonly type: 'bad_data' | 'execution';

  constructor(type: 'bad_data' | 'execution', message: string) {
    super(message);
    this.name = 'PromqlError';
    this.type = type;
  }
}
