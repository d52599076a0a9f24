import type { Actor } from '../../audit/actor.ts';
import type { Database } from '../../database/schema.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { noDevice, type DeviceStore } from '../../registry/device-store.ts';
import type { FleetStore } from '../../registry/fleet-store.ts';
import { isWithin, ROOT_GROUP } from '../../registry/group-path.ts';
import { scopeIncludes, type Scope } from '../../registry/scope.ts';
import type { StateWriter } from '../../state/state-writer.ts';
import type { JobConfig, TargetSelection } from './job-config.ts';
import { documentText } from './job-document.ts';
import type { JobOrchestration } from './job-orchestration.ts';
import { commonGroup, MAX_TARGETS, parseTargets, targetText, type JobTarget } from './job-targets.ts';
import type { JobPatch, JobWork } from './job-works.ts';

/** What somebody asks for. Plain data: it crosses threads. */
export interface JobRequest {
  readonly id: string;
  readonly group?: string | undefined;
  readonly targets: readonly string[];
  readonly targetSelection: TargetSelection;
  readonly document: Readonly<Record<string, unknown>>;
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  readonly description?: string | undefined;
  readonly config: JobConfig;
  readonly actor: Actor;
  readonly scope: Scope;
}

interface OfJob {
  readonly id: string;
  readonly actor: Actor;
  /** Jobs out of it look not there. */
  readonly scope: Scope;
}

/** What people and programs do to jobs. Each resolves once it is durable. */
export type JobControlCalls = {
  readonly createJob: (request: JobRequest) => Promise<void>;
  readonly updateJob: (request: OfJob & { readonly patch: JobPatch }) => Promise<void>;
  readonly cancelJob: (
    request: OfJob & { readonly force: boolean; readonly reasonCode?: string | undefined; readonly comment?: string | undefined },
  ) => Promise<void>;
  readonly deleteJob: (request: OfJob & { readonly force: boolean }) => Promise<void>;
  readonly cancelJobExecution: (
    request: OfJob & { readonly device: string; readonly force: boolean; readonly expectedVersion?: number | undefined },
  ) => Promise<void>;
};

const JOB_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** The calls, over the writer of the state and the registry, which is only read. */
export function jobControlCalls(dependencies: {
  readonly writer: StateWriter;
  readonly orchestration: JobOrchestration;
  readonly registry: Database;
  readonly devices: Pick<DeviceStore, 'groupOf'>;
  readonly fleets: Pick<FleetStore, 'get'>;
}): JobControlCalls {
  const { writer, orchestration } = dependencies;
  const run = async (work: JobWork): Promise<void> => {
    const refused = await writer.run(orchestration, work);
    if (refused !== null) throw refused;
  };
  return {
    async createJob({ id, group, targets, targetSelection, document, parameters, description, config, actor, scope }) {
      if (!JOB_ID.test(id)) throw invalid('id', 'the id of a job is 1 to 64 of A-Z a-z 0-9 _ -');
      if (targets.length === 0 || targets.length > MAX_TARGETS) throw invalid('targets', `a job has 1 to ${MAX_TARGETS} targets`);
      const parsed = parseTargets(targets);
      const draft = {
        id,
        group: await groupOf(parsed, { group, scope }, dependencies),
        targets: parsed,
        selection: targetSelection,
        document: documentText(document, parameters),
        description,
        config,
      };
      await run({ kind: 'create', draft, actor, scope });
    },
    updateJob: async (request) => await run({ kind: 'update', ...request }),
    cancelJob: async ({ reasonCode, comment, ...request }) => await run({ kind: 'cancel', reasonCode, comment, ...request }),
    deleteJob: async (request) => await run({ kind: 'delete', ...request }),
    cancelJobExecution: async ({ expectedVersion, ...request }) =>
      await run({ kind: 'cancel-execution', expectedVersion, ...request }),
  };
}

/**
 * The group that a job stands in: that which was asked for, or the nearest in which all of its targets are.
 *
 * @throws SelsynError for targets that are not there, or out of the scope: `device.not-found`, `group.not-found`, `fleet.not-found`,
 *   `device-type.not-found`; `request.invalid`, `access.denied` for a group that does not do
 */
async function groupOf(
  targets: readonly JobTarget[],
  asked: { readonly group: string | undefined; readonly scope: Scope },
  registry: Pick<Parameters<typeof jobControlCalls>[0], 'registry' | 'devices' | 'fleets'>,
): Promise<string> {
  const { scope } = asked;
  const paths = await groupsOf(targets, scope, registry);
  const [only, ...others] = scope.groups;
  const common = commonGroup(paths.map(({ path }) => path));
  const group = asked.group ?? (scopeIncludes(scope, common) || others.length > 0 ? common : (only ?? common));
  if (!scopeIncludes(scope, group))
    throw new SelsynError('access.denied', `you may not have jobs in ${group}`, { details: { group } });
  const outside = paths.find(({ path, bound }) => bound && !isWithin(path, group));
  if (outside !== undefined) throw invalid('targets', `${targetText(outside.target)} is not in the job's group ${group}`);
  return group;
}

interface Place {
  readonly target: JobTarget;
  readonly path: string;
  /** All of it is there; of others only what is in the group of the job is meant. */
  readonly bound: boolean;
}

async function groupsOf(
  targets: readonly JobTarget[],
  scope: Scope,
  { registry, devices, fleets }: Pick<Parameters<typeof jobControlCalls>[0], 'registry' | 'devices' | 'fleets'>,
): Promise<readonly Place[]> {
  const ofDevices = await devices.groupOf(targets.flatMap((target) => (target.kind === 'device' ? [target.id] : [])));
  const places: Place[] = [];
  for (const target of targets) {
    switch (target.kind) {
      case 'device': {
        const path = ofDevices.get(target.id);
        if (path === undefined || !scopeIncludes(scope, path)) throw noDevice(target.id);
        places.push({ target, path, bound: true });
        break;
      }
      case 'group':
        await ensureGroup(registry, target.path, scope);
        places.push({ target, path: target.path, bound: true });
        break;
      case 'fleet':
        places.push({ target, path: (await fleets.get(target.id, scope)).group, bound: false });
        break;
      case 'type':
        await ensureType(registry, target.name);
        places.push({ target, path: ROOT_GROUP, bound: false });
    }
  }
  return places;
}

async function ensureGroup(registry: Database, path: string, scope: Scope): Promise<void> {
  const row = await registry.selectFrom('device_group').select('id').where('path', '=', path).executeTakeFirst();
  if (row === undefined || !scopeIncludes(scope, path))
    throw new SelsynError('group.not-found', `there is no group ${path}`, { details: { path } });
}

async function ensureType(registry: Database, name: string): Promise<void> {
  const row = await registry.selectFrom('device_type').select('name').where('name', '=', name).executeTakeFirst();
  if (row === undefined) throw new SelsynError('device-type.not-found', `there is no device type ${name}`, { details: { name } });
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field } });
}
