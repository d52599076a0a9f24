import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { DEVICE_TABS, type DeviceTab } from '../device/device-tabs.ts';
import { parseRangeSearch, type RangeSearch } from '../device/time-range.ts';
import { DevicesPage } from '../devices/devices-page.tsx';
import { JOBS_TABS, type JobsTab } from '../jobs/jobs-tabs.ts';
import { PROVISIONING_TABS, type ProvisioningTab } from '../provisioning/provisioning-tabs.ts';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { NotFound } from './not-found.tsx';
import { searchChoice, searchTexts } from './search-text.ts';
import { Shell } from './shell.tsx';

const rootRoute = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const devicesRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/',
  component: DevicesPage,
  validateSearch: (search): DevicesSearch => searchTexts(search, ['q', 'group']),
});

/** The charts come with the first device page, not with the first page. */
const deviceRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/devices/$deviceId',
  component: lazyRouteComponent(() => import('../device/device-page.tsx'), 'DevicePage'),
  validateSearch: (search): DeviceSearch => {
    const metrics = search['metrics'];
    const tab = searchChoice(search, 'tab', DEVICE_TABS);
    return {
      ...parseRangeSearch(search),
      ...(Array.isArray(metrics) && { metrics: metrics.map(String) }),
      ...(tab !== undefined && { tab }),
      ...searchTexts(search, ['shadow']),
    };
  },
});

const jobsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/jobs',
  component: lazyRouteComponent(() => import('../jobs/jobs-page.tsx'), 'JobsPage'),
  validateSearch: (search): JobsSearch => {
    const tab = searchChoice(search, 'tab', JOBS_TABS);
    return { ...searchTexts(search, ['status']), ...(tab !== undefined && { tab }) };
  },
});

const jobRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/jobs/$jobId',
  component: lazyRouteComponent(() => import('../jobs/job-page.tsx'), 'JobPage'),
  validateSearch: (search): JobSearch => searchTexts(search, ['status']),
});

const provisioningRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/provisioning',
  component: lazyRouteComponent(() => import('../provisioning/provisioning-page.tsx'), 'ProvisioningPage'),
  validateSearch: (search): ProvisioningSearch => {
    const tab = searchChoice(search, 'tab', PROVISIONING_TABS);
    return { ...searchTexts(search, ['outcome', 'claim', 'serial', 'state']), ...(tab !== undefined && { tab }) };
  },
});

const securityRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/security',
  component: lazyRouteComponent(() => import('../security/security-page.tsx'), 'SecurityPage'),
  validateSearch: (search): SecuritySearch => searchTexts(search, ['show', 'find']),
});

const auditRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/audit',
  component: lazyRouteComponent(() => import('../audit/audit-page.tsx'), 'AuditPage'),
  validateSearch: (search): AuditSearch => searchTexts(search, ['kind', 'id', 'actor', 'action', 'from']),
});

const dataRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/telemetry',
  component: lazyRouteComponent(() => import('../data/data-page.tsx'), 'DataPage'),
});

const firstDataRoute = createRoute({
  getParentRoute: () => dataRoute,
  path: '/',
  component: lazyRouteComponent(() => import('../data/data-page.tsx'), 'FirstDataPage'),
});

const sqlRoute = createRoute({
  getParentRoute: () => dataRoute,
  path: 'sql',
  component: lazyRouteComponent(() => import('../sql/sql-page.tsx'), 'SqlPage'),
  validateSearch: (search): SqlSearch => searchTexts(search, ['q']),
});

const storageRoute = createRoute({
  getParentRoute: () => dataRoute,
  path: 'storage',
  component: lazyRouteComponent(() => import('../storage/storage-page.tsx'), 'StoragePage'),
});

const forwardersRoute = createRoute({
  getParentRoute: () => dataRoute,
  path: 'forwarders',
  component: lazyRouteComponent(() => import('../forwarders/forwarders-page.tsx'), 'ForwardersPage'),
});

const decodersRoute = createRoute({
  getParentRoute: () => dataRoute,
  path: 'decoders',
  component: lazyRouteComponent(() => import('../decoders/decoders-page.tsx'), 'DecodersPage'),
  validateSearch: (search): DecodersSearch => searchTexts(search, ['name']),
});

const cardinalityRoute = createRoute({
  getParentRoute: () => dataRoute,
  path: 'cardinality',
  component: lazyRouteComponent(() => import('../cardinality/cardinality-page.tsx'), 'CardinalityPage'),
});

const serverRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/server',
  component: lazyRouteComponent(() => import('../server/server-page.tsx'), 'ServerPage'),
});

export interface DevicesSearch {
  /** The beginning of an id, or text of the filter language. */
  readonly q?: string;
  /** Only devices in this group or below. */
  readonly group?: string;
}

export interface DeviceSearch extends RangeSearch {
  /** The metrics with a chart; absent: the first ones. */
  readonly metrics?: readonly string[];
  readonly tab?: DeviceTab;
  /** The name of a shadow; absent: the classic one. */
  readonly shadow?: string;
}

export interface JobsSearch {
  readonly tab?: JobsTab;
  /** Only what stands so. */
  readonly status?: string;
}

export interface JobSearch {
  /** Only executions that stand so. */
  readonly status?: string;
}

export interface ProvisioningSearch {
  readonly tab?: ProvisioningTab;
  readonly outcome?: string;
  readonly claim?: string;
  readonly serial?: string;
  readonly state?: string;
}

export interface SqlSearch {
  /** The query that was run last. */
  readonly q?: string;
}

export interface DecodersSearch {
  /** The decoder that is shown. */
  readonly name?: string;
}

export interface SecuritySearch {
  /** Which certificates. */
  readonly show?: string;
  /** The beginning of a fingerprint, or a serial number. */
  readonly find?: string;
}

export interface AuditSearch {
  readonly kind?: string;
  readonly id?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly from?: string;
}

export const router = createRouter({
  routeTree: rootRoute.addChildren([
    devicesRoute,
    deviceRoute,
    jobsRoute,
    jobRoute,
    provisioningRoute,
    dataRoute.addChildren([firstDataRoute, sqlRoute, storageRoute, forwardersRoute, decodersRoute, cardinalityRoute]),
    securityRoute,
    auditRoute,
    serverRoute,
  ]),
  defaultPreload: 'intent',
  defaultErrorComponent: ({ error, reset }) => <ProblemNotice error={error} onRetry={reset} />,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
