import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, ERRORS } from '../../kernel/errors.ts';
import { parseDuration } from '../../promql/durations.ts';
import { evaluate, evaluateRange } from '../../promql/evaluate.ts';
import type { Expression, LabelMatcher } from '../../promql/expression.ts';
import { NAME_LABEL } from '../../promql/label-match.ts';
import type { Steps, Value } from '../../promql/matrix.ts';
import { parsePromql } from '../../promql/parse.ts';
import { PromqlError } from '../../promql/promql-error.ts';
import { FairQueue } from '../../sql/fair-queue.ts';
import { access } from '../access-guard.ts';
import type { ApiDependencies } from '../api-dependencies.ts';
import { toSelsynError } from '../problem.ts';
import { withinDeadline } from '../request-deadline.ts';
import { promqlName } from './metric-names.ts';
import { instantJson, matrixTexts, samplesTexts } from './prometheus-json.ts';
import { PrometheusSource } from './prometheus-source.ts';
import { labelNames, labelValues, type Listed, type ListRequest, seriesLabels } from './series-lists.ts';

const QUERY_DEADLINE_MS = 60_000;
const MAX_FORM_BYTES = 64 * 1024;
/** A sample counts for five minutes, as in Prometheus; where steps are longer for twice a step, so that no step is without. */
const LOOKBACK_MS = 300_000;
const MAX_LOOKBACK_MS = 7_200_000;
const MAX_SELECTORS = 64;
/** Queries that run, or whose answers are being read, at one time: they share a thread and its memory. */
const SLOTS = 4;
const MAX_WAITING = 64;
/** For an answer to be read by whoever asked. */
const SEND_DEADLINE_MS = 60_000;

type Needs = Pick<ApiDependencies, 'devices' | 'deviceTypes' | 'telemetry' | 'clock' | 'version'>;
type Parameters = URLSearchParams;

interface Answer {
  readonly data: unknown;
  readonly warnings?: readonly string[];
}

/** What Grafana's data source for Prometheus asks, below `/prometheus/api/v1`. Errors are those of the HTTP API of Prometheus. */
export function prometheusRoutes(dependencies: Needs): FastifyPluginAsync {
  const { clock, deviceTypes, version } = dependencies;
  const queue = new FairQueue({ slots: SLOTS, maxWaiting: MAX_WAITING });
  /** Runs work that has its turn until it has been answered; others have theirs by `check`. */
  const inTurn = async <T>(
    request: FastifyRequest,
    reply: FastifyReply,
    work: (source: PrometheusSource, check: () => Promise<void>) => Promise<T>,
  ): Promise<T> =>
    await withinDeadline(reply, QUERY_DEADLINE_MS, async (signal) => {
      const { kind, id } = access(request).actor;
      const caller = `${kind} ${id}`;
      const slot = await queue.enter(caller, signal);
      const cancel = clock.after(QUERY_DEADLINE_MS + SEND_DEADLINE_MS, () => reply.raw.destroy());
      const leave = (): void => {
        cancel();
        queue.leave(caller, slot);
      };
      if (reply.raw.closed) leave();
      else reply.raw.once('close', leave);
      const check = async (): Promise<void> => {
        await nextTurn();
        signal.throwIfAborted();
      };
      return await work(new PrometheusSource(dependencies, access(request).scope, signal), check);
    });

  const evaluated = async (request: FastifyRequest, reply: FastifyReply, expression: Expression, steps: Steps): Promise<Value> =>
    await inTurn(request, reply, async (source, check) => {
      const lookbackMs = Math.max(LOOKBACK_MS, Math.min(2 * steps.stepMs, MAX_LOOKBACK_MS));
      return await evaluate(expression, steps, { source, lookbackMs, check });
    });

  const listed = async (
    request: FastifyRequest,
    parameters: Parameters,
    reply: FastifyReply,
    list: (source: PrometheusSource, wanted: ListRequest) => Promise<Listed<unknown>>,
  ): Promise<Answer> => {
    const given = parameters.getAll('match[]');
    if (given.length > MAX_SELECTORS)
      throw new PromqlError('bad_data', `invalid parameter "match[]": at most ${MAX_SELECTORS} selectors are taken`);
    const wanted = { selectors: given.map(matchersOf), limit: limitOf(parameters) };
    return await inTurn(request, reply, async (source) => await list(source, wanted));
  };

  return async (app) => {
    app.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: MAX_FORM_BYTES },
      (_, body, done) => done(null, new URLSearchParams(String(body))),
    );
    app.setErrorHandler(async (thrown, _request, reply) => {
      if (thrown instanceof PromqlError)
        return await reply
          .code(thrown.type === 'bad_data' ? 400 : 422)
          .send({ status: 'error', errorType: thrown.type, error: thrown.message });
      const error = toSelsynError(thrown);
      const { status, errorType } = faultOf(error.code);
      if (errorType === 'internal') throw thrown;
      if (status === 401) reply.header('WWW-Authenticate', 'Basic realm="selsyn"');
      if (error.retryable) reply.header('Retry-After', '1');
      return await reply.code(status).send({ status: 'error', errorType, error: error.message });
    });
    const config = { permission: 'telemetry:read' } as const;
    const route = (
      url: string,
      answer: (request: FastifyRequest, parameters: Parameters, reply: FastifyReply) => Promise<Answer | Readable>,
    ): void => {
      app.route({
        method: ['GET', 'POST'],
        url,
        config,
        exposeHeadRoute: false,
        schema: { hide: true },
        handler: async (request, reply) => {
          const found = await answer(request, parametersOf(request), reply);
          if (found instanceof Readable) return reply.type('application/json; charset=utf-8').send(found);
          const { data, warnings = [] } = found;
          return reply.send({ status: 'success', data, ...(warnings.length > 0 && { warnings }) });
        },
      });
    };

    route('/query', async (request, parameters, reply) => {
      const atMs = timeOf(parameters, 'time', clock.now());
      const expression = parsePromql(wanted(parameters, 'query'));
      if (expression.kind === 'matrix' || expression.kind === 'subquery') {
        const samples = await inTurn(
          request,
          reply,
          async (source, check) => await evaluateRange(expression, atMs, { source, lookbackMs: LOOKBACK_MS, check }),
        );
        return Readable.from(samplesTexts(samples), { objectMode: false });
      }
      const steps = { startMs: atMs, stepMs: 1, count: 1 };
      return { data: instantJson(await evaluated(request, reply, expression, steps), steps) };
    });
    route('/query_range', async (request, parameters, reply) => {
      const steps = stepsOf(parameters);
      const value = await evaluated(request, reply, parsePromql(wanted(parameters, 'query')), steps);
      return Readable.from(matrixTexts(value, steps), { objectMode: false });
    });
    route('/series', async (request, parameters, reply) => await listed(request, parameters, reply, seriesLabels));
    route('/labels', async (request, parameters, reply) => await listed(request, parameters, reply, labelNames));
    route('/label/:name/values', async (request, parameters, reply) => {
      const { name } = request.params as { readonly name: string }; // the route has it
      return await listed(request, parameters, reply, async (source, wanted) => await labelValues(source, name, wanted));
    });
    route('/metadata', async (_request, parameters) => {
      const metric = parameters.get('metric');
      const known: Record<string, { type: string; help: string; unit: string }[]> = {};
      for (const type of await deviceTypes.list()) {
        for (const { metric: name, unit = '' } of type.telemetry) {
          if (metric === null || metric === promqlName(name)) known[promqlName(name)] ??= [{ type: 'gauge', help: '', unit }];
        }
      }
      return { data: known };
    });
    // Of the 2.x line: what Grafana offers in its editor depends on it.
    route('/status/buildinfo', async () => ({
      data: { version: '2.53.0', revision: `selsyn-${version}`, branch: '', buildUser: '', buildDate: '', goVersion: '' },
    }));
    route('/rules', async () => ({ data: { groups: [] } }));
    route('/alerts', async () => ({ data: { alerts: [] } }));
    route('/query_exemplars', async () => ({ data: [] }));
  };
}

/**
 * How the HTTP API of Prometheus says it. Without a key, too: Grafana takes the `status` of any other document for its own, and shows why it
 * could not read that instead of what is wrong.
 */
function faultOf(code: ErrorCode): { readonly status: number; readonly errorType: string } {
  const { status } = ERRORS[code];
  if (code === 'query.too-large' || code === 'request.invalid') return { status: 422, errorType: 'execution' };
  if (code === 'sql.busy') return { status: 503, errorType: 'unavailable' };
  if (code === 'thread.timeout') return { status: 503, errorType: 'timeout' };
  if (status === 401) return { status, errorType: 'unauthorized' };
  if (status === 403) return { status, errorType: 'forbidden' };
  return { status, errorType: status >= 500 ? 'internal' : 'bad_data' };
}

/** Zero says that there is none. */
function limitOf(parameters: Parameters): number | undefined {
  const text = parameters.get('limit') ?? '0';
  if (!/^\d{1,9}$/.test(text)) throw new PromqlError('bad_data', `invalid parameter "limit": cannot parse "${text}" to a number`);
  return Number(text) || undefined;
}

function parametersOf(request: FastifyRequest): Parameters {
  const parameters = new URL(request.url, 'http://localhost').searchParams;
  if (request.body instanceof URLSearchParams) for (const [name, value] of request.body) parameters.append(name, value);
  return parameters;
}

function wanted(parameters: Parameters, name: string): string {
  const value = parameters.get(name);
  if (value === null || value === '')
    throw new PromqlError('bad_data', `invalid parameter "${name}": unknown position: parse error: no expression found in input`);
  return value;
}

/** Seconds since 1970, or RFC 3339; in ms. */
function timeOf(parameters: Parameters, name: string, otherwise?: number): number {
  const value = parameters.get(name);
  if (value === null && otherwise !== undefined) return otherwise;
  const ms = value === null || value === '' ? NaN : /^[-+.\deE]+$/.test(value) ? Number(value) * 1000 : Date.parse(value);
  if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15)
    throw new PromqlError('bad_data', `invalid parameter "${name}": cannot parse "${value ?? ''}" to a valid timestamp`);
  return Math.round(ms);
}

function stepsOf(parameters: Parameters): Steps {
  const [startMs, endMs] = [timeOf(parameters, 'start'), timeOf(parameters, 'end')];
  if (endMs < startMs) throw new PromqlError('bad_data', 'invalid parameter "end": end timestamp must not be before start time');
  const stepMs = parseDuration(parameters.get('step') ?? '');
  if (stepMs <= 0)
    throw new PromqlError(
      'bad_data',
      'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
    );
  return { startMs, stepMs, count: Math.floor((endMs - startMs) / stepMs) + 1 };
}

function matchersOf(text: string): readonly LabelMatcher[] {
  const expression = parsePromql(text);
  if (expression.kind !== 'vector') throw new PromqlError('bad_data', 'invalid parameter "match[]": a selector is wanted');
  // Grafana asks so for everything.
  return expression.matchers.filter(
    ({ label, operator, value }) => !(label === NAME_LABEL && operator === '=~' && value === '.+'),
  );
}
