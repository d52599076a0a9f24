import type { LogLines } from '../../kernel/log-lines.ts';
import { WebHookError, type WebHooks } from '../../kernel/web-hooks.ts';
import type { DeviceRequest } from '../../state/device-request.ts';
import type { StateWriter } from '../../state/state-writer.ts';
import { requestAnswerTopic, type DeviceTopic } from '../command-topics.ts';
import { BUILT_IN_METHODS, type BuiltInDependencies } from './built-in-methods.ts';
import type { RequestDomain } from './request-domain.ts';
import type { RequestHook } from './request-hook.ts';
import { encodeReply, readQuestion, type Question, type Reply } from './request-payload.ts';

export interface RequestDeskDependencies extends BuiltInDependencies {
  readonly domain: RequestDomain;
  readonly writer: StateWriter;
  readonly hooks: Pick<WebHooks, 'post'>;
  readonly logLines: LogLines;
}

/**
 * Answers what devices ask. A hook is waited for outside of every batch; meanwhile the request of the device is not acknowledged, so
 * that it asks again should the answer get lost with the server.
 */
export class RequestDesk {
  readonly counters = { asked: 0, failed: 0 };
  readonly #dependencies: RequestDeskDependencies;

  constructor(dependencies: RequestDeskDependencies) {
    this.#dependencies = dependencies;
  }

  /** Resolves once the answer is on its way to the client that asked. */
  async answer(topic: DeviceTopic & { readonly kind: 'request' }, request: DeviceRequest): Promise<void> {
    const { domain, writer } = this.#dependencies;
    const device = topic.device ?? request.principalId;
    const question = readQuestion(request.payload);
    const reply = 'failure' in question ? question : await this.#ask(device, topic.request, question, request.clientId);
    this.counters.asked++;
    if ('failure' in reply) this.counters.failed++;
    const message = {
      device,
      topic: requestAnswerTopic(topic),
      payload: encodeReply(topic, reply),
      to: request.from,
      properties: { contentType: 'application/json' },
    };
    await writer.run(domain, { kind: 'say', message });
  }

  async #ask(device: string, request: string, question: Question, clientId: string): Promise<Reply> {
    const { method, params } = question;
    const hook = this.#dependencies.domain.hookOf(method);
    if (hook !== undefined) return await this.#askHook(hook, { device, clientId, request, method, params });
    const builtIn = BUILT_IN_METHODS.get(method);
    if (builtIn === undefined) return { failure: 'no-method', reason: `nobody answers the method ${method}` };
    return await builtIn(device, question, this.#dependencies);
  }

  /**
   * ```
   * → {"device":"boiler7","clientId":"boiler7","request":"1","method":"getTariff","params":{…}}
   * ← whatever JSON the device is to get; nothing: null
   * ```
   */
  async #askHook({ url, method }: RequestHook, question: object): Promise<Reply> {
    const { hooks, logLines } = this.#dependencies;
    try {
      const body = await hooks.post(url, question);
      return {
        payload: body.length === 0 ? null : (JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as unknown),
      };
    } catch (error) {
      if (error instanceof WebHookError) {
        logLines.debug({ method, why: error.message }, 'a hook gave no answer');
        // What is behind the hook is not for devices.
        if (error.kind === 'busy') return { failure: 'too-many', reason: 'too many ask this: try again later' };
        return { failure: 'unavailable', reason: 'whoever answers this method cannot be reached' };
      }
      logLines.debug({ method }, 'a hook answered what is not JSON');
      return { failure: 'unavailable', reason: 'whoever answers this method gave no answer that can be passed on' };
    }
  }
}
