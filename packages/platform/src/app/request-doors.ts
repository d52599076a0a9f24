import { type ClientRequest, NOT_TAKEN, type NotTaken, type RequestAnswer, type RequestHandler } from '../broker/requests.ts';

/** Several handlers of requests as one: the first that handles a topic answers it. */
export class RequestDoors implements RequestHandler {
  readonly #handlers: readonly RequestHandler[];

  constructor(handlers: readonly RequestHandler[]) {
    this.#handlers = handlers;
  }

  handles(topic: string): boolean {
    return this.#handlers.some((handler) => handler.handles(topic));
  }

  async answer(request: ClientRequest): Promise<readonly RequestAnswer[] | NotTaken> {
    return (await this.#handlers.find((handler) => handler.handles(request.topic))?.answer(request)) ?? NOT_TAKEN;
  }
}
