//! Conformance: an application's page with Amplitude's browser SDK, as npm has it.

import * as amplitude from '@amplitude/analytics-browser';

window.amplitude = amplitude;
