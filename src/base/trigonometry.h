// Sine, cosine and arc sine with the same bits on every machine: replicas must agree on distances,
// and the C library's functions differ between its versions and between processors in some last
// bits. They are made of additions and multiplications of the x87 format, which all x86-64 machines
// share; of ten thousand results some thirteen differ from the C library's, by the last bit.
#pragma once

namespace metastore {

double Sine(double radians);    // |radians| <= pi
double Cosine(double radians);  // |radians| <= pi
double ArcSine(double x);       // 0 <= x <= 1

}  // namespace metastore
