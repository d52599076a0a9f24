import { Link, Navigate, Outlet, useLocation } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { useWho } from '../session/who.ts';
import { NotAllowed } from '../ui/not-allowed.tsx';
import tabs from '../ui/page-tabs.module.css';
import { DATA_PAGES } from './data-pages.ts';

/** What surrounds the pages about telemetry as a whole. */
export function DataPage() {
  const signedIn = useWho();
  const { pathname } = useLocation();
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a narrow screen the tabs scroll.
    nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [pathname]);
  return (
    <>
      <h1>Telemetry</h1>
      <nav ref={nav} className={tabs.tabs} aria-label="About telemetry">
        {DATA_PAGES.filter(({ isFor }) => isFor(signedIn)).map(({ to, label }) => (
          <Link key={to} to={to} className={tabs.tab} activeOptions={{ includeSearch: false }}>
            {label}
          </Link>
        ))}
      </nav>
      <Outlet />
    </>
  );
}

/** The first of them that there is something on. */
export function FirstDataPage() {
  const signedIn = useWho();
  const first = DATA_PAGES.find(({ isFor }) => isFor(signedIn));
  return first === undefined ? <NotAllowed permission="telemetry:read" /> : <Navigate to={first.to} replace />;
}
