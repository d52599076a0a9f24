import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import { TYPE_NAME_PATTERN } from '../registry/device.ts';
import { SANDBOX_LIMITS } from '../sandbox/sandbox-limits.ts';
import { MERGE_POLICIES } from '../shadows/replicas/merge-policy.ts';
import { ANY, MergePolicyStore, type MergePolicyKey, type MergePolicyRecord } from '../shadows/replicas/merge-policy-store.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { problems } from './route-responses.ts';

const keyFields = {
  deviceType: z
    .string()
    .regex(TYPE_NAME_PATTERN, 'must be 1 to 64 of A-Z a-z 0-9 : _ . -')
    .optional()
    .describe('Of devices of this type. Absent: of all devices.'),
  shadow: z
    .string()
    .regex(/^[$A-Za-z0-9:_-]{0,64}$/, 'must be 0 to 64 of $ A-Z a-z 0-9 : _ -')
    .optional()
    .describe('The shadow of this name; empty: the classic one. Absent: all shadows.'),
};
const policyField = z
  .enum(MERGE_POLICIES)
  .describe(
    'What counts where a field was written on both sides. `last-write`: the later one, by time, then by the name of the replica. ' +
      '`desired-wins`: what was written here. `reported-wins`: what was written at the edge; and what was reported there, while something ' +
      'else was desired here, is desired from then on. `custom`: what a script says.',
  );
const scriptField = z
  .string()
  .max(SANDBOX_LIMITS.sourceBytes)
  .optional()
  .describe(
    'Of `custom`: JavaScript with a function `merge({ device, shadow, section, path, ours, theirs })` that returns the value.',
  );

const policySchema = z
  .object({
    deviceType: z.string().optional(),
    shadow: z.string().optional(),
    policy: z.enum(MERGE_POLICIES),
    script: z.string().optional(),
    createdAtMs: z.number(),
    updatedAtMs: z.number(),
  })
  .describe('How shadows are merged with those of edges.');

/** How shadows are merged with those of edges: for all devices of a type, so that only those say it who may at the root. */
export function mergePolicyRoutes({ state }: Pick<ApiDependencies, 'state'>): FastifyPluginAsyncZod {
  const store = new MergePolicyStore(state.reader);
  return async (app) => {
    app.get(
      '/merge-policies',
      {
        config: { permission: 'shadows:read' },
        schema: {
          operationId: 'listMergePolicies',
          summary: 'List merge policies of shadows',
          tags: ['shadows'],
          querystring: z.strictObject({}),
          response: {
            200: z.object({ items: z.array(policySchema) }).describe('By type and shadow. Where none fits, it is `last-write`.'),
            ...problems(),
          },
        },
      },
      async () => ({ items: (await store.list()).map(shown) }),
    );

    app.put(
      '/merge-policies',
      {
        config: { permission: 'shadows:write', everything: true },
        schema: {
          operationId: 'putMergePolicy',
          summary: 'Say how shadows are merged with those of edges',
          description: 'The narrowest one counts: of type and shadow, then of the type, then of the shadow, then of all.',
          tags: ['shadows'],
          body: z.strictObject({ ...keyFields, policy: policyField, script: scriptField }),
          response: {
            200: policySchema,
            ...problems(
              'script.invalid',
              'script.over-limit',
              'request.too-large',
              'request.unsupported-media-type',
              'state.busy',
              'thread.timeout',
            ),
          },
        },
      },
      async (request) => {
        const { policy, script } = request.body;
        const { actor } = access(request);
        return shown(await state.calls.call('putMergePolicy', { ...keyOf(request.body), policy, script, actor }));
      },
    );

    app.delete(
      '/merge-policies',
      {
        config: { permission: 'shadows:write', everything: true },
        schema: {
          operationId: 'removeMergePolicy',
          summary: 'Remove a merge policy',
          tags: ['shadows'],
          querystring: z.strictObject(keyFields),
          response: { 204: z.null().describe('Removed.'), ...problems('merge-policy.not-found', 'state.busy', 'thread.timeout') },
        },
      },
      async (request, reply) => {
        const { actor } = access(request);
        if (!(await state.calls.call('removeMergePolicy', { ...keyOf(request.query), actor }))) {
          throw new SelsynError('merge-policy.not-found', 'there is no merge policy for exactly this', {
            details: { ...request.query },
          });
        }
        return await reply.code(204).send(null);
      },
    );
  };
}

function keyOf({
  deviceType = ANY,
  shadow = ANY,
}: {
  readonly deviceType?: string | undefined;
  readonly shadow?: string | undefined;
}): MergePolicyKey {
  return { deviceType, shadow };
}

function shown({ deviceType, shadow, ...rest }: MergePolicyRecord): z.input<typeof policySchema> {
  return { ...(deviceType !== ANY && { deviceType }), ...(shadow !== ANY && { shadow }), ...rest };
}
