//! Conformance: an application's page with Segment's browser SDK, as npm has it.

import { AnalyticsBrowser } from '@segment/analytics-next';

window.AnalyticsBrowser = AnalyticsBrowser;
