// It is not there.
import './nowhere.mjs';
